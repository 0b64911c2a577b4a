import { ClickHouseError } from '@clickhouse/client'
import { describe, expect, test, vi } from 'vitest'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { CutMetadata } from '../../kafka/cut-metadata.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Rejection } from '../../schemas/event-record.ts'
import { createIngestMetrics } from './ingest-metrics.ts'
import type { IngestRecord } from './inspect-record.ts'
import { createBufferBudget, createPartitionBuffer } from './partition-buffer.ts'
import { runPartition } from './run-partition.ts'
import { createSlots, sessionOver } from './wait.ts'

// Pauses a hundredth as long.
vi.mock('./limits.ts', async (original) => ({
  ...(await original<typeof import('./limits.ts')>()),
  RETRY_FIRST_MS: 1,
  CUT_INTERVAL_MS: 10,
}))

const record = (offset: number, text = 'good'): IngestRecord => ({
  offset,
  at: 0,
  app: 'shop',
  subject: Buffer.alloc(16),
  batch: Buffer.alloc(16, offset),
  count: 1,
  format: 1,
  rows: Buffer.from(`${text} ${offset};`),
  poison: undefined,
})

/** A partition over engines that are made up: ClickHouse refuses what holds the word "bad" and drops known tokens. */
function madeUp(begin: { start: number; declared?: { end: number; rev: number } }) {
  const over = new AbortController()
  const budget = createBufferBudget()
  const buffer = createPartitionBuffer(begin.start, budget)
  const commits: { offset: number; end: number; rev: number }[] = []
  const rejected: Rejection[] = []
  const stored: string[] = []
  const tokens: string[] = []
  let draining = false
  const clickhouse = {
    async exec({
      values,
      clickhouse_settings,
    }: {
      values: AsyncIterable<Buffer>
      clickhouse_settings: object
    }) {
      let body = ''
      for await (const chunk of values) body += chunk.toString()
      tokens.push((clickhouse_settings as { insert_deduplication_token: string }).insert_deduplication_token)
      if (body.includes('bad')) throw new ClickHouseError({ message: 'cannot parse', code: '33', type: 'X' })
      stored.push(...body.split(';').filter(Boolean))
      return { stream: [] }
    },
  } as unknown as ClickHouseClient
  const loop = runPartition(
    {
      partition: 2,
      clickhouse,
      identity: { clusterId: 'c', topicId: 't', epoch: '00000a' },
      rejections: { count: (one) => rejected.push(one), flush: async () => {}, close: async () => {} },
      metrics: createIngestMetrics(createMetrics('test')),
      logger: createLogger('test', 'silent'),
      breaks: () => false,
      seen: { lookUp: async () => () => false, write: async () => {}, remember: () => {} },
      slots: createSlots(1),
      signal: over.signal,
      isRevoked: () => false,
      commitCut: async (offset: number, { end, rev }: CutMetadata) => {
        if (over.signal.aborted) throw sessionOver()
        commits.push({ offset, end, rev })
      },
      revocations: {
        readToHead: async () => 9,
        readTo: async () => {},
        isRevoked: () => false,
        heldUntil: () => 0,
        close: async () => {},
      },
      buffer,
      isDraining: () => draining,
    },
    { declared: undefined, era: '0', rewound: false, ...begin },
  )
  const finish = async () => {
    draining = true
    await loop
  }
  return { buffer, commits, rejected, stored, tokens, finish, budget }
}
const until = async (done: () => boolean) => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('a partition', () => {
  test('declares a cut, inserts it, and acknowledges it at once when nothing follows', async () => {
    const partition = madeUp({ start: 5 })
    partition.buffer.append([record(5), record(6)])
    await until(() => partition.commits.at(-1)?.offset === 7)
    await partition.finish()
    expect(partition.commits.slice(-2)).toEqual([
      { offset: 5, end: 7, rev: 9 },
      { offset: 7, end: 7, rev: 9 },
    ])
    expect(partition.stored).toEqual(['good 5', 'good 6'])
    expect(partition.tokens[0]).toContain('c/t/0/2/5/7/2/')
    expect(partition.budget.bytes()).toBe(0)
  })

  test('repeats a declared cut precisely, though more has come, and with the revocations of then', async () => {
    const partition = madeUp({ start: 5, declared: { end: 7, rev: 3 } })
    partition.buffer.append([record(5)])
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(partition.commits).toEqual([])
    partition.buffer.append([record(6), record(7), record(8)])
    await until(() => partition.stored.length === 4)
    await partition.finish()
    expect(partition.commits[0]).toEqual({ offset: 5, end: 7, rev: 3 })
    expect(partition.commits[1]).toEqual({ offset: 7, end: 9, rev: 9 })
    expect(partition.tokens[0]).toContain('/5/7/2/')
  })

  test('finds what ClickHouse cannot read by smaller cuts, each declared, and stores all the rest', async () => {
    const partition = madeUp({ start: 0 })
    const records = Array.from({ length: 40 }, (_, offset) => record(offset, offset === 23 ? 'bad' : 'good'))
    partition.buffer.append(records)
    await until(() => partition.commits.at(-1)?.offset === 40)
    await partition.finish()
    expect(partition.stored).toEqual(
      records.filter(({ offset }) => offset !== 23).map(({ offset }) => `good ${offset}`),
    )
    expect(partition.rejected).toMatchObject([{ app: 'shop', code: 'unreadable_rows', count: 1 }])
    expect(new Set(partition.tokens).size).toBeGreaterThan(5)
  })
})
