import { expect, test } from 'vitest'
import type { Postgres } from '../../postgres/client.ts'
import type { RequestTimes } from '../erasure/erase-people.ts'
import type { Answer, AnswerOutcome } from './answer-request.ts'
import { endOf, findBrokenPartials, findBrokenWords } from './judge-ends.ts'

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
  ['partial', 'accepted', 'closed', 0],
  ['partial', 'failed', 'closed', 1],
])('a %s that is %s, and a request that is %s: %i broken words', async (answer, outcome, state, broken) => {
  const times = { requestId: 'r', state } as RequestTimes
  const answers = new Map([['r', { answer, outcome: Promise.resolve(outcome) }]])
  expect(await findBrokenWords([times], answers)).toHaveLength(broken)
})

test.each<[AnswerOutcome, string, boolean | undefined, number]>([
  ['accepted', 'closed', true, 0],
  ['accepted', 'closed', false, 1],
  ['accepted', 'closed', undefined, 1],
  ['accepted', 'stuck', false, 0],
  ['accepted', 'stuck', undefined, 1],
  ['late', 'closed', undefined, 0],
  ['late', 'closed', false, 1],
])(
  'a partial certificate, %s, of a request that is %s, withdrawn: %s; %i are broken',
  async (outcome, state, withdrawn, broken) => {
    const rows = withdrawn === undefined ? [] : [{ request_id: 'r', withdrawn }]
    const postgres = { query: async () => rows } as unknown as Postgres
    const answers = new Map([['r', { answer: 'partial' as const, outcome: Promise.resolve(outcome) }]])
    const times = { requestId: 'r', state } as RequestTimes
    expect(await findBrokenPartials(postgres, [times], answers)).toHaveLength(broken)
  },
)
