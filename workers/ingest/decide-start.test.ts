import { describe, expect, test } from 'vitest'
import { decideStart, type PartitionFacts } from './decide-start.ts'

const metadata = { end: 100, rev: 7, epoch: 'abcdef', era: 'e' }
const facts: PartitionFacts = {
  partition: 1,
  low: 10,
  high: 200,
  committed: 100,
  metadata,
  epoch: 'abcdef',
  revocationsHead: 9,
  seenEnd: 100,
  cutEnd: async () => 100,
}
const decide = (some: Partial<PartitionFacts>, recover = false) =>
  decideStart({ ...facts, ...some }, recover, () => 'new')

describe('a new owner', () => {
  test('goes on at the committed offset when nothing was being written', async () => {
    expect(await decide({})).toEqual({ start: 100, declared: undefined, era: 'e', rewound: false })
  })
  test('repeats precisely the declared cut, with the revocations it was declared with', async () => {
    const start = await decide({ metadata: { ...metadata, end: 150 } })
    expect(start).toMatchObject({ start: 100, declared: { end: 150, rev: 7 } })
  })
  test('begins at the log’s beginning when group and tables are empty', async () => {
    const empty = { committed: -1, metadata: undefined, seenEnd: undefined, cutEnd: async () => undefined }
    expect(await decide(empty)).toEqual({ start: 10, declared: undefined, era: '0', rewound: false })
    expect(await decide({ ...empty, committed: -2 })).toMatchObject({ start: 10 })
  })
  test('needs no offsets when all that Kafka still has came after what is stored', async () => {
    const expired = { committed: -1, metadata: undefined, low: 100, seenEnd: undefined }
    expect(await decide(expired)).toEqual({ start: 100, declared: undefined, era: 'new', rewound: false })
  })
  test('begins at the beginning of a topic that was made anew', async () => {
    const anew = { epoch: '123456', low: 0, seenEnd: undefined, cutEnd: async () => undefined }
    expect(await decide(anew)).toMatchObject({ start: 0, era: '0' })
  })
})

describe('offsets that cannot be true', () => {
  const cases: [string, Partial<PartitionFacts>, number][] = [
    ['offsets_lost', { committed: -1, metadata: undefined }, 100],
    ['offsets_lost', { committed: -2, metadata: undefined }, 100],
    ['offsets_lost', { committed: -1, metadata: undefined, seenEnd: undefined }, 100],
    ['offsets_without_metadata', { metadata: undefined }, 100],
    [
      'offsets_without_metadata',
      { metadata: undefined, seenEnd: undefined, cutEnd: async () => undefined },
      10,
    ],
    ['offsets_out_of_range', { low: 120 }, 120],
    ['declared_cut_missing', { metadata: { ...metadata, end: 201 } }, 100],
    ['declared_cut_missing', { high: 90 }, 90],
    ['revocations_lost', { revocationsHead: 3, cutEnd: async () => 60 }, 100],
    ['revocations_lost', { revocationsHead: 3, metadata: { ...metadata, end: 150 } }, 100],
    [
      'revocations_lost',
      { revocationsHead: 3, metadata: { ...metadata, end: 150 }, cutEnd: async () => 150 },
      150,
    ],
  ]
  test.each(cases)(
    'are refused as %s, and on the operator’s word rewound under a new era',
    async (code, some, start) => {
      await expect(decide(some)).rejects.toMatchObject({ code })
      expect(await decide(some, true)).toEqual({ start, declared: undefined, era: 'new', rewound: true })
    },
  )
})

describe('a ClickHouse that holds less than the offsets say', () => {
  test('is given again what it lacks, under a new era, so that no old token drops it', async () => {
    const restored = { seenEnd: 60, cutEnd: async () => 55 }
    expect(await decide(restored)).toEqual({ start: 55, declared: undefined, era: 'new', rewound: true })
  })
  test('is given all that Kafka still has when it is empty', async () => {
    expect(await decide({ seenEnd: undefined, cutEnd: async () => undefined })).toMatchObject({ start: 10 })
  })
  test('is not suspected for cuts that left no rows, nor once Kafka has dropped the records', async () => {
    expect(await decide({ cutEnd: async () => 20 })).toMatchObject({ start: 100, rewound: false })
    expect(await decide({ seenEnd: undefined, cutEnd: async () => 100 })).toMatchObject({ rewound: false })
    expect(await decide({ low: 100, seenEnd: undefined, cutEnd: async () => 20 })).toMatchObject({
      rewound: false,
    })
  })
})
