import { describe, expect, it } from 'vitest'
import { countBehind } from './ingest-offsets.ts'

const at = (partition: number, committed: number, low = 0) => ({ partition, committed, low, high: 1_000 })

describe('what ingest is behind by', () => {
  const targets = {
    offsets: [
      [0, 100],
      [1, 200],
    ] as [number, number][],
  }

  it('is nothing once every partition has committed its target or more', () => {
    expect(countBehind(targets, [at(0, 100), at(1, 900)])).toBe(0)
  })
  it('is the sum of what is missing, and never made up for by another partition', () => {
    expect(countBehind(targets, [at(0, 90), at(1, 900)])).toBe(10)
  })
  it('is all of a partition that never got a commit, or whose commit was reset', () => {
    expect(countBehind(targets, [at(0, -1), at(1, -2)])).toBe(300)
    expect(countBehind(targets, [])).toBe(300)
  })
  it('leaves out what retention took away', () => {
    expect(countBehind(targets, [at(0, -1, 100), at(1, 200)])).toBe(0)
  })
})
