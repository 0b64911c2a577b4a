import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { type Rejection, TOPICS } from '../schemas/event-record.ts'
import { createKafka, prefixed } from './client.ts'
import { TOPIC_SETTINGS } from './topics.ts'

/** Collectors write a record a second for each app, code and event at most; a day beyond this bound is cut off, and said so. */
const MAX_RECORDS = 1_000_000
const QUIET_MS = 15_000
const RETENTION_MS = Number(TOPIC_SETTINGS[TOPICS.eventsRejected].entries['retention.ms'])

const Counted = z.object({
  app: z.string(),
  code: z.string(),
  event: z.string(),
  count: z.number().int().nonnegative(),
  at: z.number(),
}) satisfies z.ZodType<Rejection>

export interface RejectedCounts {
  /** Summed by app and code, largest first. */
  counts: { app: string; code: string; count: number }[]
  /** False when not all of the time's records are in: older than the topic keeps them, cut off at the bound, or Kafka fell silent. */
  complete: boolean
}

/**
 * Sums `events_rejected` between two moments (milliseconds since 1970, the end exclusive). The topic keeps seven days;
 * for a time before that the counts are empty and `complete` is false, and for one that began before it, they are what is left.
 * @param now milliseconds since 1970
 */
export async function readRejections(
  config: Config,
  logger: Logger,
  from: number,
  to: number,
  now = Date.now(),
): Promise<RejectedCounts> {
  // Kafka deletes by segment, so some of it may still be there; how much is luck, and no figure.
  const keptSince = now - RETENTION_MS
  if (to <= keptSince) return { counts: [], complete: false }
  const topic = prefixed(config, TOPICS.eventsRejected)
  const kafka = createKafka(config, logger, 'ebb-report')
  const admin = kafka.admin()
  await admin.connect()
  // The group exists only for this reading: kafkajs has no consumer without one. Its offsets are never committed.
  const groupId = prefixed(config, `report-${randomUUID()}`)
  const consumer = kafka.consumer({ groupId, allowAutoTopicCreation: false, maxWaitTimeInMs: 200 })
  const sums = new Map<string, { app: string; code: string; count: number }>()
  try {
    const limits = await admin.fetchTopicOffsets(topic)
    const starts = await admin.fetchTopicOffsetsByTimestamp(topic, from)
    const pending = new Map<number, bigint>()
    for (const { partition, high } of limits) {
      const start = starts.find((one) => one.partition === partition)?.offset ?? high
      if (BigInt(start) >= 0n && BigInt(start) < BigInt(high)) pending.set(partition, BigInt(high))
    }
    let reached = true
    if (pending.size > 0) {
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      reached = await consumeUntil(consumer, topic, starts, pending, (value) => add(sums, value, from, to))
    }
    const counts = [...sums.values()].sort((a, b) => b.count - a.count || a.code.localeCompare(b.code))
    return { counts, complete: reached && from >= keptSince }
  } finally {
    await consumer.disconnect()
    await admin.deleteGroups([groupId]).catch(() => undefined)
    await admin.disconnect()
  }
}

type Consumer = ReturnType<ReturnType<typeof createKafka>['consumer']>

/** Reads each partition from its start up to its pending end. @returns whether the ends were reached. */
async function consumeUntil(
  consumer: Consumer,
  topic: string,
  starts: { partition: number; offset: string }[],
  pending: Map<number, bigint>,
  onValue: (value: Buffer | null) => void,
): Promise<boolean> {
  let records = 0
  let lastAt = Date.now()
  const finished = new Promise<boolean>((resolve, reject) => {
    const watch = setInterval(() => {
      if (pending.size > 0 && records < MAX_RECORDS && Date.now() - lastAt < QUIET_MS) return
      clearInterval(watch)
      resolve(pending.size === 0)
    }, 20)
    consumer
      .run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          lastAt = Date.now()
          const end = pending.get(batch.partition)
          for (const message of batch.messages) {
            if (end === undefined || BigInt(message.offset) >= end) break
            records++
            onValue(message.value)
          }
          if (end !== undefined && BigInt(batch.lastOffset()) + 1n >= end) pending.delete(batch.partition)
        },
      })
      .catch((error) => {
        clearInterval(watch)
        reject(error)
      })
    for (const { partition, offset } of starts) {
      if (pending.has(partition)) consumer.seek({ topic, partition, offset })
    }
  })
  return await finished
}

/** A record that is not one of ours is left out: the topic is ours, but a report must not fail on a stranger's record. */
function add(
  sums: Map<string, { app: string; code: string; count: number }>,
  value: Buffer | null,
  from: number,
  to: number,
): void {
  const parsed = Counted.safeParse(parseJson(value))
  if (!parsed.success) return
  const { app, code, count, at } = parsed.data
  if (at < from || at >= to) return
  const key = JSON.stringify([app, code])
  const sum = sums.get(key) ?? { app, code, count: 0 }
  sum.count += count
  sums.set(key, sum)
}

function parseJson(value: Buffer | null): unknown {
  try {
    return value ? JSON.parse(value.toString()) : null
  } catch {
    return null
  }
}
