import { setTimeout as sleep } from 'node:timers/promises'
import type kafkajs from 'kafkajs'
import type { ClickHouseClient } from '../clickhouse/client.ts'
import { createKafka, prefixed } from '../kafka/client.ts'
import { INGEST_GROUP } from '../kafka/cut-metadata.ts'
import { createEventProducer, type EventProducer } from '../kafka/event-producer.ts'
import { type IngestProgress, readIngestProgress } from '../kafka/read-ingest-progress.ts'
import { createLogger } from '../runtime/logger.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { openClickHouse, readStoredCounts, type StoredCounts, waitUntilIngested } from './ingest-counts.ts'
import { type IngestProcess, startIngest } from './ingest-process.ts'
import type { MadeRecord } from './made-records.ts'
import { createStage, type Stage } from './stage.ts'

const silent = createLogger('test', 'silent')

/** A stage with what tests of ingest need; `close` stops the members that were started. */
export interface IngestStage {
  stage: Stage
  clickhouse: ClickHouseClient
  producer: EventProducer
  admin: kafkajs.Admin
  eventsTopic: string
  groupId: string
  start(environment?: Record<string, string>, until?: string): Promise<IngestProcess>
  send(records: MadeRecord[]): Promise<void>
  /** Sends, waits until ingest has acknowledged, and counts. */
  store(records: MadeRecord[]): Promise<StoredCounts>
  counts(): Promise<StoredCounts>
  progress(): Promise<IngestProgress[]>
  /** Polls until `done` says so. */
  until(done: () => boolean | Promise<boolean>, timeoutMs?: number): Promise<void>
  close(): Promise<void>
}

export async function createIngestStage(): Promise<IngestStage> {
  const stage = await createStage()
  const clickhouse = openClickHouse(stage)
  const kafka = createKafka(stage.config, silent, 'test')
  const admin = kafka.admin()
  const [producer] = await Promise.all([createEventProducer(stage.config, silent), admin.connect()])
  const started: IngestProcess[] = []
  return {
    stage,
    clickhouse,
    producer,
    admin,
    eventsTopic: prefixed(stage.config, TOPICS.events),
    groupId: prefixed(stage.config, INGEST_GROUP),
    async start(environment = {}, until) {
      const ingest = await startIngest(stage, environment, until)
      started.push(ingest)
      return ingest
    },
    send: (records) => producer.send(records),
    async store(records) {
      await producer.send(records)
      await waitUntilIngested(stage)
      return readStoredCounts(clickhouse)
    },
    counts: () => readStoredCounts(clickhouse),
    progress: () => readIngestProgress(stage.config, silent),
    async until(done, timeoutMs = 120_000) {
      const deadline = Date.now() + timeoutMs
      while (!(await done())) {
        if (Date.now() > deadline) throw new Error(`did not come about in ${timeoutMs} ms`)
        await sleep(50)
      }
    },
    async close() {
      await Promise.all(started.map((ingest) => ingest.stop()))
      await Promise.all([producer.close(), admin.disconnect(), clickhouse.close()])
      await stage.close()
    },
  }
}

/** A test on a stage of its own, so that tests of a file may run side by side. */
export function onIngestStage(body: (stage: IngestStage) => Promise<void>): () => Promise<void> {
  return async () => {
    const stage = await createIngestStage()
    try {
      await body(stage)
    } finally {
      await stage.close()
    }
  }
}
