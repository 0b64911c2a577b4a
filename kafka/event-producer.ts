import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { type EventRecord, TOPICS } from '../schemas/event-record.ts'
import { createKafka, createPartitioner, prefixed } from './client.ts'
import { encodeEventRecord } from './encode-event-record.ts'
import { createSendQueue } from './send-queue.ts'

export type ProducerErrorCode = 'producer_full' | 'producer_closed' | 'produce_failed' | 'produce_expired'

/** Records wait here for the broker. A collector answers 503 before this is reached. */
export const MAX_PENDING_BYTES = 64 * 1024 * 1024

export interface EventProducer {
  /**
   * Resolves once every in-sync replica has the records (`acks=all`). After a rejection any part of them may be stored:
   * the client's retry carries the same batch key, and ingest counts it once.
   * @param expiresAt by performance.now(): from then on no try is begun any more. Default: never.
   * @throws EbbError `producer_full`, `producer_closed`, `produce_failed`, `produce_expired`
   */
  send(records: EventRecord[], expiresAt?: number): Promise<void>
  /** Bytes accepted by `send` and not yet answered. */
  pendingBytes(): number
  /** Sends what is pending, then disconnects. */
  close(): Promise<void>
}

/**
 * Not idempotent by Kafka's producer ids on purpose: they allow one send in flight, and a duplicate made by a retry
 * here is the same to ingest as one made by the client.
 */
export async function createEventProducer(config: Config, logger: Logger): Promise<EventProducer> {
  const topic = prefixed(config, TOPICS.events)
  const kafka = createKafka(config, logger, 'ebb-events')
  const partitions = await countPartitions(kafka, topic)
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner,
    // Tries are ours: the library's own would send, after any pause, what must not leave any more.
    retry: { retries: 0 },
  })
  await producer.connect()

  const queue = createSendQueue({
    maxPendingBytes: MAX_PENDING_BYTES,
    transmit: (messages, expiresAt) =>
      tryUntil(expiresAt, async () => {
        await producer.send({ topic, acks: -1, timeout: 10_000, messages })
      }),
  })
  return {
    send: (records, expiresAt) =>
      queue.send(
        records.map((record) => encodeEventRecord(record, partitions)),
        expiresAt,
      ),
    pendingBytes: queue.pendingBytes,
    async close() {
      await queue.close()
      await producer.disconnect()
    },
  }
}

const TRIES = 5
const PAUSE_MS = 100

/** @throws EbbError `produce_failed` */
async function tryUntil(expiresAt: number, send: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await send()
    } catch (error) {
      const pauseMs = PAUSE_MS * 2 ** (tries - 1)
      const mayHelp = tries < TRIES && (error as Error).name === 'KafkaJSNumberOfRetriesExceeded'
      if (mayHelp && performance.now() + pauseMs < expiresAt) {
        await sleep(pauseMs)
        if (performance.now() < expiresAt) continue
      }
      throw new EbbError('produce_failed', `Kafka did not take the records: ${(error as Error).name}`, {
        cause: error,
      })
    }
  }
}

async function countPartitions(kafka: ReturnType<typeof createKafka>, topic: string): Promise<number> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0]!.partitions.length
  } finally {
    await admin.disconnect()
  }
}
