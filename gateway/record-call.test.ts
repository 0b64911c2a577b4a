import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AuditEntry } from '../postgres/audit-log.ts'
import { createCallRecorder } from './record-call.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function setUp() {
  const rows: AuditEntry[] = []
  const recorder = createCallRecorder({ append: async (entry) => void rows.push(entry) })
  const record = (outcome: string, actor = 'anonymous') =>
    recorder.record({ actor, action: 'GET /v1/privacy/requests', object: '-', outcome })
  return { rows, record }
}

test('A flood beyond the limit is two rows a second, and none of its calls is lost', async () => {
  const { rows, record } = setUp()
  for (let call = 0; call < 1_000; call++) await record('429 rate_limited')
  expect(rows.map((row) => row.outcome)).toEqual(['429 rate_limited'])
  vi.advanceTimersByTime(1_000)
  expect(rows.map((row) => row.outcome)).toEqual(['429 rate_limited', '429 rate_limited x999'])
  await record('429 rate_limited')
  vi.advanceTimersByTime(1_000)
  expect(rows).toHaveLength(3)
})

test('Others have rows of their own, and so does every other call', async () => {
  const { rows, record } = setUp()
  await record('429 rate_limited', 'token:1:a')
  await record('429 rate_limited', 'token:2:b')
  for (let call = 0; call < 3; call++) await record('401 token_invalid')
  expect(rows).toHaveLength(5)
})
