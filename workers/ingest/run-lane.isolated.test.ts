import { describe, expect, test, vi } from 'vitest'
import { formatRanges } from '../../kafka/cut-metadata.ts'
import type { PartitionStart } from './decide-start.ts'
import { createFakeClickHouse, createFakeLane, makeIngestRecord } from './fake-lane.ts'

// Pauses a hundredth as long, and a round that is large with 30 rows.
vi.mock('./limits.ts', async (original) => ({
  ...(await original<typeof import('./limits.ts')>()),
  RETRY_FIRST_MS: 1,
  CUT_INTERVAL_MS: 10,
  CUT_LARGE_ROWS: 30,
  INSERT_DEADLINE_MS: 300,
}))

type Fake = ReturnType<typeof createFakeLane>
const records = (from: number, to: number, text?: string) =>
  Array.from({ length: to - from }, (_, index) => makeIngestRecord(from + index, text ? { text } : {}))
const texts = (from: number, to: number, text = 'good') =>
  records(from, to, text).map(({ offset }) => `${text} ${offset}`)
const caughtUp = async (fake: Fake, ends: Record<number, number>) => {
  const loop = fake.run()
  await expect
    .poll(() => Object.keys(ends).map((partition) => fake.last(Number(partition))?.offset), { interval: 5 })
    .toEqual(Object.values(ends))
  fake.drain()
  await loop
}
const ends = (fake: Fake) =>
  fake.commits.map((commit) => commit.map(({ offset, metadata }) => [offset, metadata.end]))

describe('a lane', () => {
  test('of one partition declares a cut, inserts it, and acknowledges it at once when nothing follows', async () => {
    const fake = createFakeLane({ 2: { start: 5 } })
    fake.append(records(5, 7), 2)
    await caughtUp(fake, { 2: 7 })
    expect(ends(fake)).toEqual([[[5, 7]], [[7, 7]]])
    expect(fake.stored).toEqual(texts(5, 7))
    expect(fake.inserts[0]!.token).toMatch(/^c\/t\/0\/2\/5\/7\/2\/\d+$/)
    expect(fake.last(2)?.joint).toBeUndefined()
    expect(fake.budget.bytes()).toBe(0)
  })

  test('declares cuts of all its partitions in one commit and writes them as one insert', async () => {
    const fake = createFakeLane({ 3: { start: 5 }, 4: {}, 5: { start: 2, era: 'x' } })
    fake.append(records(5, 8, 'three'), 3)
    fake.append(records(2, 4, 'five'), 5)
    await caughtUp(fake, { 3: 8, 4: 0, 5: 4 })
    expect(ends(fake)).toEqual([
      [
        [5, 8],
        [0, 0],
        [2, 4],
      ],
      [
        [8, 8],
        [0, 0],
        [4, 4],
      ],
    ])
    const [declared, acknowledged] = fake.commits
    expect(declared!.map(({ metadata }) => metadata.joint && formatRanges(metadata.joint))).toEqual([
      '3:5:8,4:0:0,5:2:4',
      undefined,
      '3:5:8,4:0:0,5:2:4',
    ])
    expect(new Set(declared!.map(({ metadata }) => metadata.rev))).toEqual(new Set([9]))
    expect(acknowledged!.some(({ metadata }) => metadata.joint)).toBe(false)
    expect(fake.stored).toEqual([...texts(5, 8, 'three'), ...texts(2, 4, 'five')])
    const position = (0xan << 40n) + 12n
    expect(fake.inserts.map(({ token }) => token)).toEqual([
      `c/t/0+x/3:5:8,4:0:0,5:2:4/3:8,4:0,5:4/65534/${position}`,
    ])
    expect(fake.seen).toEqual(['c/t/0+x/3:5:8,4:0:0,5:2:4/3:8,4:0,5:4'])
  })

  test('writes many rows by one insert a partition, also declared in one commit', async () => {
    const fake = createFakeLane({ 0: {}, 1: {}, 2: {} })
    for (const partition of [0, 1, 2]) fake.append(records(0, 10), partition)
    await caughtUp(fake, { 0: 10, 1: 10, 2: 10 })
    expect(ends(fake)[0]).toEqual([
      [0, 10],
      [0, 10],
      [0, 10],
    ])
    expect(fake.inserts).toHaveLength(3)
    expect(fake.commits[0]!.every(({ metadata }) => metadata.joint === undefined)).toBe(true)
  })

  test('does not wait for its next look when a record comes while it acknowledges', async () => {
    let late = () => {}
    const fake = createFakeLane(undefined, {
      commit: async () => {
        late()
        late = () => {}
      },
    })
    late = () => fake.append(records(0, 1))
    const loop = fake.run()
    const began = performance.now()
    await expect.poll(() => fake.stored.length, { interval: 2 }).toBe(1)
    expect(performance.now() - began).toBeLessThan(300)
    fake.drain()
    await loop
  })

  test('acknowledges what is written while another partition’s insert is tried again', async () => {
    const fake = createFakeLane({ 0: {}, 1: {} })
    fake.append(records(0, 20, 'zero'), 0)
    fake.append(records(0, 20, 'one'), 1)
    fake.answers.push(new Error('away'), undefined, new Error('away'))
    await caughtUp(fake, { 0: 20, 1: 20 })
    expect(ends(fake).slice(0, 3)).toEqual([
      [
        [0, 20],
        [0, 20],
      ],
      [
        [0, 20],
        [20, 20],
      ],
      [
        [0, 20],
        [20, 20],
      ],
    ])
    expect(fake.inserts).toHaveLength(4)
    expect(fake.stored).toHaveLength(40)
  })

  test('begins no round while ingest is held, and says so for all its partitions', async () => {
    let held = Number.POSITIVE_INFINITY
    const revocations = {
      readToHead: async () => 11,
      readTo: async () => {},
      isRevoked: () => false,
      heldUntil: () => held,
      close: async () => {},
    }
    const fake = createFakeLane({ 0: {}, 1: {} }, { revocations })
    fake.append(records(0, 5), 0)
    const loop = fake.run()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(fake.stored).toEqual([])
    expect([fake.last(0), fake.last(1)]).toMatchObject([
      { offset: 0, end: 0, rev: 11 },
      { offset: 0, end: 0, rev: 11 },
    ])
    held = 0
    await expect.poll(() => fake.last(0)?.offset, { interval: 5 }).toBe(5)
    fake.drain()
    await loop
  })
})

describe('what an earlier owner declared', () => {
  const declared = (end: number, rev: number, joint?: string): NonNullable<PartitionStart['declared']> => ({
    end,
    rev,
    ...(joint && {
      joint: joint.split(',').map((text) => {
        const [partition, start, end] = text.split(':').map(Number)
        return { partition: partition!, start: start!, end: end! }
      }),
    }),
  })

  test('is repeated precisely, though more has come, and with the revocations of then', async () => {
    const fake = createFakeLane({ 2: { start: 5, declared: declared(7, 3) } })
    const loop = fake.run()
    fake.append(records(5, 6), 2)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(fake.commits).toEqual([])
    fake.append(records(6, 9), 2)
    await expect.poll(() => fake.stored.length, { interval: 5 }).toBe(4)
    fake.drain()
    await loop
    expect(fake.commits[0]).toMatchObject([{ offset: 5, metadata: { end: 7, rev: 3 } }])
    expect(fake.commits[1]).toMatchObject([{ offset: 7, metadata: { end: 9, rev: 9 } }])
    expect(fake.inserts[0]!.token).toContain('/5/7/2/')
  })

  test('jointly is repeated as that one insert once all its records are here: the same token, so nothing is stored twice', async () => {
    const engine = createFakeClickHouse()
    const dead = createFakeLane({ 0: {}, 1: { start: 4 }, 2: { start: 1 } }, { engine })
    dead.append(records(0, 3, 'zero'), 0)
    dead.append(records(4, 6, 'one'), 1)
    const dying = dead.run()
    await expect.poll(() => engine.stored.length, { interval: 2 }).toBe(5)
    dead.end()
    await dying.catch(() => undefined)

    const joint = '0:0:3,1:4:6,2:1:1'
    const heir = createFakeLane(
      {
        0: { declared: declared(3, 9, joint) },
        1: { start: 4, declared: declared(6, 9, joint) },
        // It has no share in the cut, and what it has become does not change the token.
        2: { start: 1, era: 'later' },
      },
      { engine },
    )
    const loop = heir.run()
    heir.append(records(0, 5, 'zero'), 0)
    heir.append(records(4, 5, 'one'), 1)
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect(heir.commits).toEqual([])
    heir.append(records(5, 8, 'one'), 1)
    await expect.poll(() => heir.last(0)?.offset, { interval: 5 }).toBe(5)
    heir.drain()
    await loop
    expect(heir.commits[0]!.map(({ offset, metadata }) => [offset, metadata.end, metadata.rev])).toEqual([
      [0, 3, 9],
      [4, 6, 9],
    ])
    expect(engine.inserts[1]!.token).toBe(engine.inserts[0]!.token)
    expect(engine.stored.sort()).toEqual([...texts(4, 8, 'one'), ...texts(0, 5, 'zero')])
  })

  test('one by one is repeated one by one, each as of its own revocations, by an owner that would write jointly', async () => {
    const fake = createFakeLane({
      0: { start: 1, declared: declared(3, 3) },
      1: { declared: declared(2, 5) },
      2: {},
    })
    fake.append(records(1, 6), 0)
    fake.append(records(0, 4), 1)
    await caughtUp(fake, { 0: 6, 1: 4 })
    expect(fake.commits[0]!.map(({ offset, metadata }) => [offset, metadata.end, metadata.rev])).toEqual([
      [1, 3, 3],
      [0, 2, 5],
    ])
    expect(fake.commits[0]!.every(({ metadata }) => metadata.joint === undefined)).toBe(true)
    expect(fake.inserts.slice(0, 2).map(({ token }) => token.replace(/\d+$/, ''))).toEqual([
      'c/t/0/0/1/3/0/',
      'c/t/0/1/0/2/1/',
    ])
    expect(fake.inserts[2]!.token).toContain('/0:3:6,1:2:4,2:0:0/')
  })

  test('jointly and cannot be read is cut smaller only when the earlier owner may no longer insert it', async () => {
    const joint = '0:0:3,1:0:2'
    const fake = createFakeLane({
      0: { declared: declared(3, 9, joint) },
      1: { declared: declared(2, 9, joint) },
    })
    fake.append([...records(0, 2), makeIngestRecord(2, { text: 'bad' })], 0)
    fake.append(records(0, 2, 'one'), 1)
    await caughtUp(fake, { 0: 3, 1: 2 })
    expect(fake.inserts[1]!.at - fake.inserts[0]!.at).toBeGreaterThan(55)
    expect(fake.stored.sort()).toEqual([...texts(0, 2), ...texts(0, 2, 'one')])
    expect(fake.rejected).toEqual(['unreadable_rows'])
  })
})

describe('rows that ClickHouse cannot read', () => {
  test('are found by smaller cuts, each declared, and all the rest is stored', async () => {
    const fake = createFakeLane()
    const all = records(0, 40).map((one) => (one.offset === 23 ? makeIngestRecord(23, { text: 'bad' }) : one))
    fake.append(all)
    await caughtUp(fake, { 0: 40 })
    expect(fake.stored).toEqual(texts(0, 40).filter((text) => text !== 'good 23'))
    expect(fake.rejected).toEqual(['unreadable_rows'])
    expect(new Set(fake.inserts.map(({ token }) => token)).size).toBeGreaterThan(5)
  })

  test('in a joint round are sought partition by partition, and rounds are joint again after them', async () => {
    const fake = createFakeLane({ 0: {}, 1: {} })
    fake.append(records(0, 4, 'zero'), 0)
    fake.append([...records(0, 3, 'one'), makeIngestRecord(3, { text: 'bad' }), ...records(4, 6, 'one')], 1)
    const loop = fake.run()
    await expect.poll(() => fake.last(1)?.offset, { interval: 2 }).toBe(6)
    fake.append(records(4, 5, 'zero'), 0)
    fake.append(records(6, 7, 'one'), 1)
    await expect.poll(() => fake.last(1)?.offset, { interval: 2 }).toBe(7)
    fake.drain()
    await loop
    expect(fake.rejected).toEqual(['unreadable_rows'])
    expect(fake.stored.sort()).toEqual(
      [...texts(0, 5, 'zero'), ...texts(0, 3, 'one'), ...texts(4, 7, 'one')].sort(),
    )
    const tokens = fake.inserts.map(({ token }) => token)
    expect(tokens[0]).toContain('/0:0:4,1:0:6/')
    expect(tokens[1]).toMatch(/\/0\/0\/4\/0\/\d+$/)
    expect(tokens.at(-1)).toContain('/0:4:5,1:6:7/')
    expect(tokens.slice(1, -1).some((token) => token.includes(':'))).toBe(false)
  })
})
