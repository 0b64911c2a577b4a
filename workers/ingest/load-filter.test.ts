import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { decodeSeen, type SeenBatch } from '../../clickhouse/seen-batches.ts'
import { createLogger } from '../../runtime/logger.ts'
import { loadFilter } from './find-retries.ts'
import { createSeenFilter } from './seen-filter.ts'

const HOUR = 3_600_000
const seen = (): SeenBatch => ({ partition: 0, hash: randomBytes(16), offset: 1n, at: Date.now() })
const deps = () => ({
  clickhouse: {} as ClickHouseClient,
  logger: createLogger('test', 'silent'),
  partition: 0,
  signal: new AbortController().signal,
})
const open = (maxBlocks: number) => {
  const filter = createSeenFilter({ maxBlocks: () => maxBlocks, windowMs: 24 * HOUR })
  filter.expire(Date.now())
  return filter
}

describe('the filter before ingest_seen', () => {
  test('is loaded by another attempt when the first breaks off', async () => {
    const filter = open(4)
    const known = [seen(), seen()]
    let attempts = 0
    await loadFilter(deps(), filter, async function* () {
      attempts++
      yield [known[0]!]
      if (attempts === 1) throw new Error('broken off')
      yield [known[1]!]
    })
    expect(attempts).toBe(2)
    expect(filter.isExact()).toBe(true)
    for (const { hash } of known) expect(filter.mayContain(hash)).toBe(true)
    expect(filter.mayContain(randomBytes(16))).toBe(false)
  })
  test('stops loading when it is full, and says no to nobody for a window from then', async () => {
    const filter = open(1)
    let chunks = 0
    await loadFilter(deps(), filter, async function* () {
      for (; chunks < 20; chunks++) yield [{ ...seen(), at: Date.now() - chunks * HOUR }]
    })
    expect(chunks).toBe(1)
    expect(filter.mayContain(randomBytes(16))).toBe(true)
    filter.expire(Date.now() + 25 * HOUR)
    expect(filter.isExact()).toBe(true)
  })
  test('takes a batch that comes twice once', () => {
    const filter = open(4)
    const batch = randomBytes(16)
    for (let time = 0; time < 600_000; time++) filter.add(batch, Date.now())
    expect(filter.blocks()).toBe(1)
  })
})

test('batches are read from RowBinary however the answer is cut into chunks', async () => {
  const rows = [seen(), seen(), seen()]
  const bytes = Buffer.concat(
    rows.map(({ hash, offset, at }) => {
      const numbers = Buffer.alloc(16)
      numbers.writeBigUInt64LE(offset)
      numbers.writeBigInt64LE(BigInt(at), 8)
      return Buffer.concat([hash, numbers])
    }),
  )
  async function* chunks(size: number, end = bytes.length) {
    for (let at = 0; at < end; at += size) yield bytes.subarray(at, Math.min(at + size, end))
  }
  for (const size of [1, 31, 32, 33, 1_000]) {
    const read = []
    for await (const batches of decodeSeen(0, chunks(size))) read.push(...batches)
    expect(read).toEqual(rows)
  }
  const broken = async () => {
    for await (const _ of decodeSeen(0, chunks(32, 70)));
  }
  await expect(broken()).rejects.toMatchObject({ code: 'seen_cut_off' })
})
