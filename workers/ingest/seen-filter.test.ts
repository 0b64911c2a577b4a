import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { packPosition } from './cut-position.ts'
import { isEarlier } from './find-retries.ts'
import { createSeenFilter } from './seen-filter.ts'

const HOUR = 3_600_000
const now = 1_000 * HOUR
const open = (blocks = 4) => {
  const filter = createSeenFilter({ maxBlocks: () => blocks, windowMs: 24 * HOUR })
  filter.expire(now)
  return filter
}

describe('the filter before ingest_seen', () => {
  test('never says no to a batch that was added, and rarely yes to another', () => {
    const filter = open()
    filter.markLoaded()
    const added = Array.from({ length: 3_000 }, () => randomBytes(16))
    for (const batch of added) filter.add(batch, now)
    expect(added.every((batch) => filter.mayContain(batch))).toBe(true)
    const strangers = Array.from({ length: 3_000 }, () => randomBytes(16))
    expect(strangers.filter((batch) => filter.mayContain(batch)).length).toBeLessThan(20)
  })
  test('says no to nobody before it is loaded', () => {
    expect(open().mayContain(randomBytes(16))).toBe(true)
  })
  test('says no to nobody while a batch that found no room may still be retried, and is exact again after', () => {
    const filter = open(1)
    filter.markLoaded()
    filter.add(randomBytes(16), now - 2 * HOUR)
    filter.add(randomBytes(16), now)
    expect(filter.isExact()).toBe(false)
    expect(filter.mayContain(randomBytes(16))).toBe(true)
    filter.expire(now + 25 * HOUR)
    expect(filter.isExact()).toBe(true)
    expect(filter.blocks()).toBe(0)
    expect(filter.mayContain(randomBytes(16))).toBe(false)
  })
  test('forgets an hour at a time, never what is younger than the window', () => {
    const filter = open()
    filter.markLoaded()
    const young = randomBytes(16)
    filter.add(young, now - 24 * HOUR)
    filter.add(randomBytes(16), now - 30 * HOUR)
    filter.expire(now)
    expect(filter.blocks()).toBe(1)
    expect(filter.mayContain(young)).toBe(true)
  })
})

describe('a batch that was seen', () => {
  const own = packPosition('00000a', 50)
  test('at a lower offset makes this one a retry; at its own it is a repeat of its cut', () => {
    expect(isEarlier(packPosition('00000a', 49), own)).toBe(true)
    expect(isEarlier(own, own)).toBe(false)
    expect(isEarlier(packPosition('00000a', 51), own)).toBe(false)
  })
  test('in a topic that is gone came first, whatever its offset', () => {
    expect(isEarlier(packPosition('000009', 99), own)).toBe(true)
    expect(isEarlier(packPosition('00000b', 1), own)).toBe(true)
  })
})
