import { Readable } from 'node:stream'
import { ClickHouseError } from '@clickhouse/client'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { SeenBatch } from '../../clickhouse/seen-batches.ts'
import { createLogger } from '../../runtime/logger.ts'
import type { PartitionStart } from './decide-start.ts'
import type { PartitionCommit } from './group-commit.ts'
import type { IngestRecord } from './inspect-record.ts'
import { createBufferBudget, createPartitionBuffer } from './partition-buffer.ts'
import { type LaneDeps, runLane } from './run-lane.ts'
import { createSlots, createWaker, sessionOver } from './wait.ts'

/** @param text body of the record; ClickHouse refuses an insert that holds the word "bad" */
export function makeIngestRecord(
  offset: number,
  some: Partial<IngestRecord> & { text?: string } = {},
): IngestRecord {
  const batch = Buffer.alloc(16)
  batch.writeUInt32BE(offset + 1)
  const { text = 'good', ...rest } = some
  return {
    offset,
    at: Date.now(),
    app: 'shop',
    subject: Buffer.alloc(16, 1),
    batch,
    count: 1,
    format: 1,
    rows: Buffer.from(`${text} ${offset};`),
    poison: undefined,
    ...rest,
  }
}

export interface FakeInsert {
  rows: string[]
  token: string
  at: number
}

/** What another attempt, or another owner, finds again: pass it on to a second fake to play a takeover. */
export interface FakeClickHouse {
  /** Rows as they are stored: an insert with a known token adds none. */
  stored: string[]
  /** Every insert that arrived, refused ones and repeats too. */
  inserts: FakeInsert[]
  /** Tokens of the inserts into `ingest_seen`. */
  seen: string[]
  /** Answers to the next inserts; undefined takes the rows. */
  answers: (Error | undefined)[]
  client: ClickHouseClient
}

interface Exec {
  query: string
  values: Readable
  clickhouse_settings: { insert_deduplication_token: string }
}

export function createFakeClickHouse(): FakeClickHouse {
  const known = new Set<string>()
  const fake: FakeClickHouse = {
    stored: [],
    inserts: [],
    seen: [],
    answers: [],
    client: {
      async exec({ query, values, clickhouse_settings: { insert_deduplication_token: token } }: Exec) {
        let body = ''
        for await (const chunk of values) body += (chunk as Buffer).toString('latin1')
        if (query.includes('ingest_seen')) {
          fake.seen.push(token)
          return { stream: Readable.from([]) }
        }
        const rows = body.split(';').filter(Boolean)
        fake.inserts.push({ rows, token, at: performance.now() })
        const answer = fake.answers.shift()
        if (answer) throw answer
        if (body.includes('bad')) throw unreadable()
        if (!known.has(token)) fake.stored.push(...rows)
        known.add(token)
        return { stream: Readable.from([]) }
      },
    } as unknown as ClickHouseClient,
  }
  return fake
}

export function unreadable(): ClickHouseError {
  return new ClickHouseError({ message: 'rows', code: '33', type: 'CANNOT_READ_ALL_DATA' })
}

/** A lane's loop for units: without engines, it notes what would be committed, inserted and rejected. */
export function createFakeLane(
  begins: Record<number, Partial<PartitionStart>> = { 0: {} },
  some: Partial<LaneDeps> & { engine?: FakeClickHouse; filtered?: (rev: number) => boolean } = {},
) {
  const { engine = createFakeClickHouse(), filtered = () => false, ...deps } = some
  const over = new AbortController()
  const arrivals = createWaker()
  const budget = createBufferBudget()
  const commits: PartitionCommit[][] = []
  const rejected: string[] = []
  let draining = false
  const owned = Object.entries(begins).map(([text, begin]) => {
    const partition = Number(text)
    const start: PartitionStart = { start: 0, declared: undefined, era: '0', rewound: false, ...begin }
    return {
      partition,
      begin: start,
      buffer: createPartitionBuffer(start.start, budget, arrivals),
      seen: {
        lookUp: async () => () => false,
        rowsOf: (records: readonly IngestRecord[]) =>
          records.map(
            ({ offset, batch, at }): SeenBatch => ({ partition, offset: BigInt(offset), hash: batch, at }),
          ),
        remember() {},
      },
    }
  })
  const run = () =>
    runLane(
      {
        arrivals,
        clickhouse: engine.client,
        identity: { clusterId: 'c', topicId: 't', epoch: '00000a' },
        logger: createLogger('test', 'silent'),
        breaks: () => false,
        turns: createSlots(1),
        slots: createSlots(2),
        signal: over.signal,
        isRevoked: (_, rev) => filtered(rev),
        began: () => undefined,
        isDraining: () => draining,
        metrics: { cutWritten() {}, insertSeconds() {}, lag() {}, forget() {} },
        rejections: {
          count: ({ code }) => rejected.push(code),
          flush: async () => {},
          close: async () => {},
        },
        revocations: {
          readToHead: async () => 9,
          readTo: async () => {},
          isRevoked: () => false,
          heldUntil: () => 0,
          close: async () => {},
        },
        commit: async (some) => {
          if (over.signal.aborted) throw sessionOver()
          commits.push([...some])
        },
        ...deps,
      },
      owned,
    )
  return {
    ...engine,
    engine,
    budget,
    commits,
    rejected,
    run,
    /** What the last commit that spoke of the partition said. */
    last: (partition = 0) => lastOf(commits, partition),
    append: (records: IngestRecord[], partition = 0) =>
      owned.find((one) => one.partition === partition)!.buffer.append(records),
    end: () => over.abort(),
    drain: () => {
      draining = true
    },
  }
}

export function lastOf(commits: readonly PartitionCommit[][], partition: number) {
  const one = commits.flat().findLast((some) => some.partition === partition)
  return one && { offset: one.offset, ...one.metadata }
}
