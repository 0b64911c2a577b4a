import { randomUUID } from 'node:crypto'
import { createKafka, prefixed } from '../../kafka/client.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import { REVOKED_MAX_TOKENS } from './limits.ts'
import { createRevokedTokens } from './revoked-tokens.ts'

export interface Revocations {
  /**
   * Waits until every revocation that Kafka had at the time of the call is applied.
   * @returns `rev`: the offset below which all are applied. @throws the client's error when Kafka is away
   */
  readToHead(): Promise<number>
  /** Waits until all below `rev` are applied: what a repeated cut needs. */
  readTo(rev: number): Promise<void>
  isRevoked(token: Buffer, rev: number): boolean
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
  const admin = kafka.admin()
  const consumer = kafka.consumer({
    groupId: prefixed(config, `ingest-revocations-${randomUUID()}`),
    maxWaitTimeInMs: 1_000,
    retry: { retries: 10, initialRetryTime: 100, maxRetryTime: 2_000 },
    allowAutoTopicCreation: false,
  })
  let applied = 0
  let waiting: { until: number; resolve(): void }[] = []
  const advance = (offset: number) => {
    applied = Math.max(applied, offset)
    for (const waiter of waiting) if (waiter.until <= applied) waiter.resolve()
    waiting = waiting.filter((waiter) => waiter.until > applied)
  }
  const readTo = (rev: number) =>
    rev <= applied ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ until: rev, resolve }))

  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) onCrash(payload.error)
  })
  await Promise.all([admin.connect(), consumer.connect()])
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      try {
        for (const { key, value, offset } of batch.messages)
          if (key?.length === 16 && value !== null) tokens.add(key, Number(offset))
      } catch (error) {
        onCrash(error as Error)
        throw error
      }
      advance(Number(batch.lastOffset()) + 1)
    },
  })

  const askHead = async () => {
    const [partition] = await admin.fetchTopicOffsets(topic)
    const head = Number(partition!.high)
    await readTo(head)
    return head
  }
  // Callers that come while a question is under way need an answer that was asked after they came: they share the next.
  let asking: Promise<number> | undefined
  let next: Promise<number> | undefined
  const ask = (): Promise<number> => {
    asking = askHead().finally(() => {
      asking = undefined
    })
    return asking
  }
  return {
    readToHead() {
      if (!asking) return ask()
      next ??= asking
        .catch(() => undefined)
        .then(() => {
          next = undefined
          return ask()
        })
      return next
    },
    readTo,
    isRevoked: tokens.isRevoked,
    async close() {
      await Promise.all([consumer.disconnect(), admin.disconnect()])
    },
  }
}
