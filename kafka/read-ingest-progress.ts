import type kafkajs from 'kafkajs'
import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { createKafka, prefixed } from './client.ts'
import { type CutMetadata, decodeCutMetadata, INGEST_GROUP } from './cut-metadata.ts'

export interface IngestProgress {
  partition: number
  /** Offsets of the partition's log: the oldest record kept and the one that will be written next. */
  low: number
  high: number
  /** All before it is in ClickHouse; -1 when ingest has never committed, -2 when kafkajs reset it. */
  committed: number
  metadata: CutMetadata | undefined
}

/** How far ingest has come in each partition of `events`: for lag, for waiting until a day is in, for the drain barrier. */
export async function readIngestProgress(config: Config, logger: Logger): Promise<IngestProgress[]> {
  const admin = createKafka(config, logger, 'ebb-progress').admin()
  await admin.connect()
  try {
    return await fetchIngestProgress(admin, config)
  } finally {
    await admin.disconnect()
  }
}

/** The same over an admin client that is connected already. */
export async function fetchIngestProgress(admin: kafkajs.Admin, config: Config): Promise<IngestProgress[]> {
  const topic = prefixed(config, TOPICS.events)
  const [log, offsets] = await Promise.all([
    admin.fetchTopicOffsets(topic),
    admin.fetchOffsets({ groupId: prefixed(config, INGEST_GROUP), topics: [topic] }),
  ])
  const committed = new Map((offsets[0]?.partitions ?? []).map((entry) => [entry.partition, entry]))
  return log.map(({ partition, low, high }) => ({
    partition,
    low: Number(low),
    high: Number(high),
    committed: Number(committed.get(partition)?.offset ?? -1),
    metadata: decodeCutMetadata(committed.get(partition)?.metadata),
  }))
}
