import { describe, expect, test } from 'vitest'
import type { PartitionStart } from './decide-start.ts'
import { findTornCuts } from './find-torn-cuts.ts'

const joint = [
  { partition: 0, start: 5, end: 9 },
  { partition: 1, start: 2, end: 2 },
  { partition: 2, start: 7, end: 8 },
]
const start = (begin: number, declared?: PartitionStart['declared']): PartitionStart => ({
  start: begin,
  declared,
  era: '0',
  rewound: false,
})
const whole = (): [number, PartitionStart][] => [
  [0, start(5, { end: 9, rev: 3, joint })],
  [1, start(2)],
  [2, start(7, { end: 8, rev: 3, joint })],
]
const torn = (partition: number, other: PartitionStart | undefined) => {
  const starts = new Map(whole())
  if (other) starts.set(partition, other)
  else starts.delete(partition)
  return findTornCuts(starts)
}

describe('a joint cut', () => {
  test('is whole when every share stands as it was declared, and nothing is missing of those without a share', () => {
    expect(findTornCuts(new Map(whole()))).toEqual([])
    expect(torn(1, start(3))).toEqual([])
    expect(torn(1, undefined)).toEqual([])
  })
  test('is torn when a partition without a share was moved back: its rows would say that it is stored', () => {
    expect(torn(1, start(0))).toEqual([0, 2])
  })
  test('is torn when a share was moved, shortened, filtered otherwise, acknowledged, declared alone, or is not ours', () => {
    expect(torn(0, start(4, { end: 9, rev: 3, joint }))).toEqual([0, 2])
    expect(torn(0, start(5, { end: 8, rev: 3, joint }))).toEqual([0, 2])
    expect(torn(0, start(5, { end: 9, rev: 4, joint }))).toEqual([0, 2])
    expect(torn(0, start(9))).toEqual([2])
    expect(torn(0, start(5, { end: 9, rev: 3 }))).toEqual([2])
    expect(torn(0, undefined)).toEqual([2])
    expect(torn(0, start(5, { end: 9, rev: 3, joint: joint.slice(0, 1) }))).toEqual([2])
  })
  test('of which no share is left to repeat is nobody’s any more: all were rewound', () => {
    expect(findTornCuts(new Map([0, 1, 2].map((partition) => [partition, start(0)])))).toEqual([])
  })
  test('is torn where the metadata came to a partition that has no share', () => {
    expect(torn(1, start(2, { end: 4, rev: 3, joint }))).toEqual([1])
  })
})
