import { describe, expect, test } from 'vitest'
import { createStateLease } from './state-lease.ts'

const at = (ms: number) => ({ monotonic: ms, wall: 1_000_000 + ms })
const ends = (...highs: number[]) => highs.map((high, partition) => ({ partition, low: 0, high }))

describe('the lease on subject states', () => {
  test('begins once every partition is read to the end that was asked for, and counts from the question', () => {
    const lease = createStateLease(5_000)
    expect(lease.isFresh(at(0))).toBe(false)
    lease.aim(ends(3, 2), at(100))
    lease.advance(0, 3)
    expect(lease.isFresh(at(101))).toBe(false)
    lease.advance(1, 2)
    expect(lease.isFresh(at(5_100))).toBe(true)
    expect(lease.isFresh(at(5_101))).toBe(false)
    expect(lease.endsAt()).toBe(1_005_100)
  })
  test('goes on while states pour in faster than they are read', () => {
    const lease = createStateLease(5_000)
    for (let step = 1; step <= 10; step++) {
      lease.aim(ends(step * 10), at(step * 1_000))
      lease.advance(0, step * 10 - 5)
    }
    lease.advance(0, 92)
    expect(lease.isFresh(at(9_000 + 5_000))).toBe(true)
    expect(lease.isFresh(at(9_000 + 5_001))).toBe(false)
  })
  test('ends when either clock says so, and when the clock is set back', () => {
    const lease = createStateLease(5_000)
    lease.aim(ends(0), at(0))
    expect(lease.isFresh({ monotonic: 10, wall: 1_006_000 })).toBe(false)
    expect(lease.isFresh({ monotonic: 6_000, wall: 1_000_010 })).toBe(false)
    expect(lease.isFresh({ monotonic: 10, wall: 998_000 })).toBe(false)
    expect(lease.isFresh({ monotonic: 10, wall: 1_000_010 })).toBe(true)
  })
  test('is not renewed by a topic that ends before what was read of it', () => {
    const lease = createStateLease(5_000)
    lease.advance(0, 10)
    lease.aim(ends(4), at(0))
    expect(lease.isFresh(at(1))).toBe(false)
  })
  test('applies no record twice, and begins where the log begins', () => {
    const lease = createStateLease(5_000)
    lease.advance(0, 10)
    expect([lease.take(0, 9), lease.take(0, 10)]).toEqual([false, true])
    lease.aim([{ partition: 1, low: 7, high: 7 }], at(0))
    expect(lease.isFresh(at(1))).toBe(true)
  })
})
