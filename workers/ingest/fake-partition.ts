import { Readable } from 'node:stream'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { createLogger } from '../../runtime/logger.ts'
import type { PartitionStart } from './decide-start.ts'
import type { IngestRecord } from './inspect-record.ts'
import { createBufferBudget, createPartitionBuffer } from './partition-buffer.ts'
import { type PartitionDeps, runPartition } from './run-partition.ts'
import { createSlots } from './wait.ts'

/** Bytes of a made record's body. */
const BODY = 10

export function makeIngestRecord(offset: number, some: Partial<IngestRecord> = {}): IngestRecord {
  const batch = Buffer.alloc(16)
  batch.writeUInt32BE(offset + 1)
  return {
    offset,
    at: Date.now(),
    app: 'shop',
    subject: Buffer.alloc(16, 1),
    batch,
    count: 1,
    format: 1,
    rows: Buffer.alloc(BODY),
    poison: undefined,
    ...some,
  }
}

/** A partition's loop for units: without engines, it notes what would be committed, inserted and rejected. */
export function createFakePartition(some: Partial<PartitionDeps> = {}) {
  const over = new AbortController()
  const buffer = createPartitionBuffer(0, createBufferBudget())
  const commits: { offset: number; end: number; rev: number }[] = []
  const inserts: { rows: number; at: number }[] = []
  const rejected: string[] = []
  // ClickHouse's answers to the next inserts; undefined takes the rows.
  const answers: (Error | undefined)[] = []
  const clickhouse = {
    async exec({ values }: { values: Readable }) {
      let bytes = 0
      for await (const chunk of values) bytes += (chunk as Buffer).length
      inserts.push({ rows: bytes / BODY, at: performance.now() })
      const answer = answers.shift()
      if (answer) throw answer
      return { stream: Readable.from([]) }
    },
  } as unknown as ClickHouseClient
  const deps: PartitionDeps = {
    partition: 0,
    buffer,
    clickhouse,
    identity: { clusterId: 'c', topicId: 't', epoch: 'abcdef' },
    logger: createLogger('test', 'silent'),
    breaks: () => false,
    slots: createSlots(1),
    signal: over.signal,
    isRevoked: () => false,
    isDraining: () => false,
    metrics: { cutWritten() {}, insertSeconds() {}, lag() {}, forget() {} },
    seen: { lookUp: async () => () => false, write: async () => {}, remember() {} },
    rejections: {
      count: ({ code }) => rejected.push(code),
      flush: async () => {},
      close: async () => {},
    },
    revocations: {
      readToHead: async () => 0,
      readTo: async () => {},
      isRevoked: () => false,
      heldUntil: () => 0,
      close: async () => {},
    },
    commitCut: async (offset, { end, rev }) => {
      commits.push({ offset, end, rev })
    },
    ...some,
  }
  return {
    commits,
    inserts,
    rejected,
    answers,
    append: (records: IngestRecord[]) => buffer.append(records),
    end: () => over.abort(),
    run: (begin: Partial<PartitionStart> = {}) =>
      runPartition(deps, { start: 0, declared: undefined, era: '0', rewound: false, ...begin }),
  }
}
