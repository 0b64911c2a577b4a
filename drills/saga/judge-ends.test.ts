import { expect, test } from 'vitest'
import type { RequestTimes } from '../erasure/erase-people.ts'
import type { Answer, AnswerOutcome } from './answer-request.ts'
import { endOf, findBrokenWords } from './judge-ends.ts'

test('a request has ended well when it is closed, or as its own officer asked', () => {
  expect(endOf('closed', undefined)).toBe('closed')
  expect(endOf('closed', 'cancel')).toBe('closed')
  expect(endOf('cancelled', 'cancel')).toBe('by an officer')
  expect(endOf('refused', 'refuse')).toBe('by an officer')
  for (const [state, answer] of [
    ['cancelled', undefined],
    ['cancelled', 'hold'],
    ['refused', 'cancel'],
    ['certified', 'cancel'],
  ] as const)
    expect(endOf(state, answer)).toBeUndefined()
})

test.each<[Answer, AnswerOutcome | 'failed', string, number]>([
  ['cancel', 'accepted', 'cancelled', 0],
  ['cancel', 'accepted', 'closed', 1],
  ['refuse', 'accepted', 'cancelled', 1],
  ['cancel', 'late', 'closed', 0],
  ['cancel', 'late', 'cancelled', 0],
  ['hold', 'accepted', 'closed', 0],
  ['hold', 'failed', 'closed', 1],
  ['hold', 'ignored', 'closed', 1],
])('a %s that is %s, and a request that is %s: %i broken words', async (answer, outcome, state, broken) => {
  const times = { requestId: 'r', state } as RequestTimes
  const answers = new Map([['r', { answer, outcome: Promise.resolve(outcome) }]])
  expect(await findBrokenWords([times], answers)).toHaveLength(broken)
})
