import { expect, test } from 'vitest'
import type { KeyringStatus, ShardStatus } from '../postgres/list-shards.ts'
import { describeRotation, describeStatus, findProblems } from './keys.ts'

const NOW = Date.UTC(2026, 10, 21)
const shard = (change: Partial<ShardStatus> = {}): ShardStatus => ({
  shard: 3,
  version: 7,
  createdAt: new Date(NOW - 10 * 86_400_000),
  seals: 42,
  olderVersions: 0,
  keyAtProvider: true,
  ...change,
})
const status = (change: Partial<KeyringStatus> = {}): KeyringStatus => ({
  shards: [shard(), shard({ shard: 4, seals: 8 }), shard({ shard: 64, seals: 2 })],
  strayKeys: [],
  pending: [],
  ...change,
})

test('A keyring that is well has no problems, and is told in three lines', () => {
  expect(findProblems(status(), NOW)).toEqual([])
  expect(describeStatus(status(), [], NOW).split('\n')).toEqual([
    '3 shards, 50 secrets',
    'secrets a shard: 8 to 42',
    'age of wrapping keys: 10 to 10 days',
  ])
})

test.each([
  ['a key that the provider lacks', { shards: [shard({ keyAtProvider: false })] }, /lacks its key/],
  ['a rewrap that did not end', { shards: [shard({ olderVersions: 1 })] }, /1 older versions/],
  [
    'a key that no rotation has replaced',
    { shards: [shard({ createdAt: new Date(NOW - 93 * 86_400_000) })] },
    /90 days/,
  ],
  ['keys that wrap nothing', { strayKeys: ['shard-3-v6'] }, /shard-3-v6/],
])('%s is told', (_, change, words) => {
  const problems = findProblems(status(change), NOW)
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatch(words)
})

test('A destroyed key that can be called back is named with its end', () => {
  const pending = [{ name: 'shard-3-v6', goneByMs: NOW + 7 * 86_400_000 }]
  expect(describeStatus(status({ pending }), [], NOW)).toContain(
    'shard-3-v6: destroyed, beyond recall from 2026-11-28T00:00:00.000Z',
  )
})

test('A rotation is told in one line', () => {
  expect(describeRotation({ shards: 65, secrets: 1_000, destroyedKeys: 65, goneBy: null })).toBe(
    '65 shards: 1000 secrets sealed anew, 65 keys destroyed',
  )
})
