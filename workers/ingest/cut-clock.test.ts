import { describe, expect, test } from 'vitest'
import { createCutClock } from './cut-clock.ts'
import { CUT_INTERVAL_MS, FETCH_LEAD_MS, FETCH_OVERDUE_PAUSE_MS, FETCH_PAUSE_MS } from './limits.ts'

const REST_MS = CUT_INTERVAL_MS - FETCH_LEAD_MS

describe('how long the next fetch may wait', () => {
  test('until shortly before the next cut', () => {
    const clock = createCutClock()
    clock.began(0, 1_000)
    expect(clock.restMs(0, 1_010)).toBe(REST_MS - 10)
    clock.began(0, 1_300)
    expect(clock.restMs(0, 1_300)).toBe(REST_MS)
    expect(clock.restMs(0, 1_300 + CUT_INTERVAL_MS - 1)).toBe(FETCH_PAUSE_MS)
  })
  test('for the lane that cuts first', () => {
    const clock = createCutClock()
    clock.began(0, 1_000)
    clock.began(1, 1_100)
    expect(clock.restMs(0, 1_100)).toBe(REST_MS - 100)
    clock.forget(0)
    expect(clock.restMs(0, 1_100)).toBe(REST_MS)
  })
  test('not at all while a partition is behind, be it another lane’s', () => {
    const clock = createCutClock()
    clock.began(0, 1_000)
    clock.fetched(0, 500, 500)
    clock.fetched(4, 200, 900)
    expect(clock.restMs(4, 1_000)).toBe(0)
    // What is caught up, a moment.
    expect(clock.restMs(0, 1_000)).toBe(FETCH_PAUSE_MS)
    clock.fetched(4, 900, 900)
    expect(clock.restMs(0, 1_000)).toBe(REST_MS)
    clock.fetched(4, 1_000, 1_001)
    clock.reset()
    expect(clock.restMs(0, 1_000)).toBe(REST_MS)
  })
  test('a moment while a lane has had nothing to cut, or has not cut yet', () => {
    const clock = createCutClock()
    clock.began(0, 5_000)
    clock.began(1, Number.NEGATIVE_INFINITY)
    expect(clock.restMs(0, 5_000)).toBe(FETCH_OVERDUE_PAUSE_MS)
    clock.began(1, 5_000 - CUT_INTERVAL_MS)
    expect(clock.restMs(0, 5_000)).toBe(FETCH_OVERDUE_PAUSE_MS)
  })
})
