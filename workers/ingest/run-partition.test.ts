import { describe, expect, test } from 'vitest'
import { EbbError } from '../../runtime/errors.ts'
import { createFakePartition, makeIngestRecord } from './fake-partition.ts'

describe('a record that only a newer release can read', () => {
  test('stops the partition right before it: all that came before is written and acknowledged, it is not', async () => {
    const fake = createFakePartition()
    fake.append([0, 1, 2].map((offset) => makeIngestRecord(offset)))
    fake.append([makeIngestRecord(3, { format: 99 }), makeIngestRecord(4)])
    await expect(fake.run()).rejects.toMatchObject({ code: 'format_not_known' })
    expect(fake.inserts.map(({ rows }) => rows)).toEqual([3])
    expect(fake.commits.at(-1)).toMatchObject({ offset: 3, end: 3 })
  })
  test('is not discarded when an earlier owner declared a cut with it', async () => {
    const fake = createFakePartition()
    fake.append([makeIngestRecord(0), makeIngestRecord(1, { format: 99 })])
    await expect(fake.run({ declared: { end: 2, rev: 0 } })).rejects.toMatchObject({
      code: 'format_not_known',
    })
    expect([fake.inserts, fake.commits]).toEqual([[], []])
  })
})

describe('offsets that cannot be committed for long', () => {
  test('end the process instead of being tried for ever', async () => {
    const fake = createFakePartition({
      async commit() {
        throw new EbbError('commit_failed', 'for a minute')
      },
    })
    fake.append([makeIngestRecord(0)])
    await expect(fake.run()).rejects.toMatchObject({ code: 'commit_failed' })
    expect(fake.inserts).toEqual([])
  })
})
