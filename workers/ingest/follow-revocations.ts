import { randomUUID } from 'node:crypto'
import type kafkajs from 'kafkajs'
import { createKafka, prefixed } from '../../kafka/client.ts'
import { decodeHold, HOLD_KEY, TOKEN_BYTES } from '../../kafka/revocations.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import { createAppliedRevocations } from './applied-revocations.ts'
import { REVOKED_MAX_TOKENS } from './limits.ts'
import { createRevokedTokens } from './revoked-tokens.ts'

export interface Revocations {
  /**
   * Waits until every revocation that Kafka had at the time of the call is applied.
   * @returns `rev`: the offset below which all are applied.
   * @throws the client's error when Kafka is away, EbbError `session_over` when the signal fires, `revocations_lost`
   */
  readToHead(signal: AbortSignal): Promise<number>
  /** Waits until all below `rev` are applied: what a repeated cut needs. @throws EbbError `session_over` */
  readTo(rev: number, signal: AbortSignal): Promise<void>
  isRevoked(token: Buffer, rev: number): boolean
  /** Until when (milliseconds since 1970) nothing may be inserted, as the revocations below the offset read last say; 0: go on. */
  heldUntil(): number
  close(): Promise<void>
}

/**
 * Follows the compacted topic from its beginning, in memory. Every member reads all of it, so it joins no group that
 * others share; its group is new each time and commits nothing.
 * @param onCrash called when the follower cannot go on: the process must end, since cuts need it
 */
export async function followRevocations(
  config: Config,
  logger: Logger,
  onCrash: (error: Error) => void,
): Promise<Revocations> {
  const topic = prefixed(config, TOPICS.revocations)
  const kafka = createKafka(config, logger, 'ebb-ingest')
  const tokens = createRevokedTokens(REVOKED_MAX_TOKENS)
  let hold = { offset: -1, until: 0 }
  const admin = kafka.admin()
  await admin.connect()
  const applied = createAppliedRevocations(async () => {
    const [partition] = await admin.fetchTopicOffsets(topic)
    return Number(partition!.high)
  })
  const consumer = await startConsumer(kafka, config, topic, onCrash, (batch) => {
    for (const { key, value, offset } of batch.messages) {
      if (key?.length === TOKEN_BYTES && value !== null) tokens.add(key, Number(offset))
      else if (key?.length === TOKEN_BYTES) tokens.withdraw(key, Number(offset))
      else if (key?.equals(HOLD_KEY) && Number(offset) > hold.offset)
        hold = { offset: Number(offset), until: decodeHold(value) }
    }
    applied.advance(Number(batch.lastOffset()) + 1)
  })
  return {
    readToHead: applied.readToHead,
    readTo: applied.readTo,
    isRevoked: tokens.isRevoked,
    heldUntil: () => hold.until,
    async close() {
      await Promise.all([consumer.disconnect(), admin.disconnect()])
    },
  }
}

async function startConsumer(
  kafka: kafkajs.Kafka,
  config: Config,
  topic: string,
  onCrash: (error: Error) => void,
  apply: (batch: kafkajs.Batch) => void,
): Promise<kafkajs.Consumer> {
  const consumer = kafka.consumer({
    groupId: prefixed(config, `ingest-revocations-${randomUUID()}`),
    maxWaitTimeInMs: 1_000,
    retry: { retries: 10, initialRetryTime: 100, maxRetryTime: 2_000 },
    allowAutoTopicCreation: false,
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) onCrash(payload.error)
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      try {
        apply(batch)
      } catch (error) {
        onCrash(error as Error)
        throw error
      }
    },
  })
  return consumer
}
