import { expect, test } from 'vitest'
import { createRateLimit } from './rate-limit.ts'

test('A bucket gives what it holds at once, and then as much a minute', () => {
  let now = 0
  const limit = createRateLimit({ perMinute: 60, now: () => now })
  const granted = (tries: number) =>
    Array.from({ length: tries }, () => limit.take('a')).filter(Boolean).length
  expect(granted(100)).toBe(60)
  now += 10_000
  expect(granted(100)).toBe(10)
  now += 3_600_000
  expect(granted(100)).toBe(60)
})

test('One who has used theirs up takes nothing from another', () => {
  const limit = createRateLimit({ perMinute: 1, now: () => 0 })
  expect([limit.take('a'), limit.take('a'), limit.take('b')]).toEqual([true, false, true])
})
