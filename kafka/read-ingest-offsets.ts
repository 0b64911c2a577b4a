import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { createKafka, prefixed } from './client.ts'
import { INGEST_GROUP } from './ingest-group.ts'

export interface IngestOffsetsReader {
  /** Log-end offset of every partition of `events`. Offsets are text: they may exceed a double. */
  readLogEnd(): Promise<{ topic: string; offsets: [number, string][] }>
  /** Offset that the ingest group has committed, by partition; absent where it never committed. */
  readCommitted(): Promise<Map<number, bigint>>
  close(): Promise<void>
}

/** Asks the broker how far `events` goes and how far ingest has come. Connects at the first question. */
export function createIngestOffsetsReader(config: Config, logger: Logger): IngestOffsetsReader {
  const topic = prefixed(config, TOPICS.events)
  const groupId = prefixed(config, INGEST_GROUP)
  const admin = createKafka(config, logger, 'ebb-etl').admin()
  let connecting: Promise<void> | undefined
  const connected = async () => {
    connecting ??= admin.connect()
    try {
      await connecting
    } catch (error) {
      connecting = undefined
      throw error
    }
  }
  return {
    async readLogEnd() {
      await connected()
      const offsets = await admin.fetchTopicOffsets(topic)
      return { topic, offsets: offsets.map(({ partition, high }) => [partition, high]) }
    },
    async readCommitted() {
      await connected()
      const [answer] = await admin.fetchOffsets({ groupId, topics: [topic] })
      const committed = new Map<number, bigint>()
      for (const { partition, offset } of answer?.partitions ?? []) {
        if (BigInt(offset) >= 0n) committed.set(partition, BigInt(offset))
      }
      return committed
    },
    async close() {
      if (connecting) await admin.disconnect()
    },
  }
}
