import { expect, test } from 'vitest'
import { EbbError } from '../runtime/errors.ts'
import { BATCH_CODES } from '../schemas/reject-code.ts'
import { answerFor, collectorError, describeSafely } from './error.ts'

test('Every code of the gate for a whole batch has an answer of its own', () => {
  for (const code of Object.keys(BATCH_CODES)) {
    expect(answerFor(new EbbError(code, ''))).toMatchObject({ code, status: 400 })
  }
})

test('An error that no one has foreseen is internal, and the answer does not repeat its message', () => {
  for (const error of [
    new Error('ada@example.com'),
    new EbbError('no_such_code', 'ada@example.com'),
    'ada',
  ]) {
    const answer = answerFor(error)
    expect(answer).toMatchObject({ code: 'internal', status: 500 })
    expect(answer.body).not.toContain('ada')
  }
})

test('What may pass by itself says when to come again', () => {
  for (const code of [
    'overloaded',
    'subjects_unavailable',
    'apps_unavailable',
    'events_unavailable',
  ] as const) {
    expect(answerFor(collectorError(code))).toMatchObject({ status: 503, retryAfterS: expect.any(Number) })
  }
})

test('What is logged of an error holds no message, of its causes neither', () => {
  let syntaxError: unknown
  try {
    JSON.parse('{"email": ada@example.com}')
  } catch (error) {
    syntaxError = error
  }
  const error = new EbbError('internal', 'for ada@example.com\n    at ada@example.com', {
    cause: syntaxError,
  })
  const described = JSON.stringify(describeSafely(error))
  expect(described).not.toContain('ada')
  expect(described).toContain('SyntaxError')
  expect(described).toContain('error.test.ts')
})
