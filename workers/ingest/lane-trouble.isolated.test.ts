import { describe, expect, test, vi } from 'vitest'
import { EbbError } from '../../runtime/errors.ts'
import { createFakeLane, makeIngestRecord, unreadable } from './fake-lane.ts'

// Pauses a hundredth as long.
vi.mock('./limits.ts', async (original) => ({
  ...(await original<typeof import('./limits.ts')>()),
  RETRY_FIRST_MS: 1,
  CUT_INTERVAL_MS: 10,
}))

describe('a record that only a newer release can read', () => {
  test('stops the lane right before it: all that came before is written and acknowledged, it is not', async () => {
    const fake = createFakeLane({ 0: {}, 1: {} })
    fake.append([0, 1, 2].map((offset) => makeIngestRecord(offset)))
    fake.append([makeIngestRecord(3, { format: 99 }), makeIngestRecord(4)])
    fake.append([makeIngestRecord(0)], 1)
    await expect(fake.run()).rejects.toMatchObject({ code: 'format_not_known' })
    expect(fake.inserts.map(({ rows }) => rows.length)).toEqual([4])
    expect([fake.last(0), fake.last(1)]).toMatchObject([
      { offset: 3, end: 3 },
      { offset: 1, end: 1 },
    ])
  })
  test('is not discarded when an earlier owner declared a cut with it', async () => {
    const fake = createFakeLane({ 0: { declared: { end: 2, rev: 0 } } })
    fake.append([makeIngestRecord(0), makeIngestRecord(1, { format: 99 })])
    await expect(fake.run()).rejects.toMatchObject({ code: 'format_not_known' })
    expect([fake.inserts, fake.commits]).toEqual([[], []])
  })
})

describe('offsets that cannot be committed for long', () => {
  test('end the process instead of being tried for ever', async () => {
    const fake = createFakeLane(undefined, {
      async commit() {
        throw new EbbError('commit_failed', 'for a minute')
      },
    })
    fake.append([makeIngestRecord(0)])
    await expect(fake.run()).rejects.toMatchObject({ code: 'commit_failed' })
    expect(fake.inserts).toEqual([])
  })
})

describe('a record that ClickHouse cannot read', () => {
  const upTo = async (answers: number) => {
    const fake = createFakeLane()
    fake.append([makeIngestRecord(0)])
    for (let answer = 0; answer < answers; answer++) fake.answers.push(unreadable())
    const run = fake.run()
    await expect.poll(() => fake.last()?.offset, { interval: 5 }).toBe(1)
    fake.drain()
    await run
    return fake
  }
  test('is stored when ClickHouse reads it a little later', async () => {
    const fake = await upTo(3)
    expect(fake.rejected).toEqual([])
    expect(fake.inserts).toHaveLength(4)
  })
  test('is refused after six answers with growing pauses, and the lane goes on', async () => {
    const fake = await upTo(6)
    expect(fake.rejected).toEqual(['unreadable_rows'])
    expect(fake.inserts).toHaveLength(6)
    expect(fake.inserts.at(-1)!.at - fake.inserts[0]!.at).toBeGreaterThan(25)
  })
})
