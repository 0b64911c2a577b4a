import { expect, test } from 'vitest'
import { EbbError } from '../../runtime/errors.ts'
import { describeCrash } from './describe-crash.ts'

test('the last line of a crash says our own words, and of a library its name and code only', () => {
  const ours = new EbbError('offsets_lost', 'partition 1: no committed offset')
  expect(describeCrash(ours)).toEqual({ code: 'offsets_lost', message: 'partition 1: no committed offset' })
  const theirs = Object.assign(new TypeError('cannot parse anna@example.org'), { code: 'ECONNREFUSED' })
  expect(describeCrash(theirs)).toEqual({ code: 'ECONNREFUSED', name: 'TypeError' })
  expect(describeCrash(Object.assign(new Error('x'), { code: 'a text' }))).toEqual({
    code: 'Error',
    name: 'Error',
  })
  expect(describeCrash('anna@example.org')).toEqual({ code: 'unknown' })
})
