import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type kafkajs from 'kafkajs'
import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { createKafka, prefixed } from './client.ts'
import { createHeldStates } from './held-states.ts'
import { createStateLease, currentMoment, type StateLease } from './state-lease.ts'
import { decodeState, decodeStateKey, FROM_LINKS, type SubjectState } from './subject-states.ts'

/** Every state of the topic, in memory, and whether it may still be relied on. */
export interface SubjectStates {
  /** Nobody needs to be looked up. */
  isEmpty(): boolean
  get(handle: Buffer): SubjectState | undefined
  /** Another number after each change. */
  version(): number
  /** The lease runs: the head of every partition was seen within it. When it does not, nothing may be taken. */
  isFresh(): boolean
  /** When the lease runs out, milliseconds since 1970. */
  endsAt(): number
  /** A state that this process has just published itself. */
  learnLinked(handles: readonly Buffer[], state: SubjectState): void
  size(): number
  close(): Promise<void>
}

export interface FollowOptions {
  leaseMs: number
  /** Hears each handle whose state changed. */
  onChange(handle: Buffer): void
}

/** The ends of the topic are asked for so often, and at least four times a lease. */
const LOOK_MS = 1_000
const EXPIRE_MS = 60_000
const RESTART_MS = 1_000
const LEAVE_MS = 1_500

/**
 * Follows `subject_states` from its beginning; resolves when all of it was read once. Every collector reads all of it, so
 * it joins no group that others share; its group is new each time and commits nothing.
 */
export async function followSubjectStates(
  config: Config,
  logger: Logger,
  options: FollowOptions,
): Promise<SubjectStates> {
  const topic = prefixed(config, TOPICS.subjectStates)
  const kafka = createKafka(config, logger, 'ebb-states')
  const held = createHeldStates()
  const lease = createStateLease(options.leaseMs)
  const over = new AbortController()

  const apply = (batch: kafkajs.Batch) => {
    const { messages, partition } = batch
    for (const { key, value, offset } of messages) {
      const stateKey = decodeStateKey(key)
      if (!stateKey || !lease.take(partition, Number(offset))) continue
      if (held.set(stateKey, decodeState(value))) options.onChange(Buffer.from(stateKey.handle, 'latin1'))
      else if (held.isFull()) logger.error({ states: held.size() }, 'no room for more subject states')
    }
    lease.advance(partition, Number(batch.lastOffset()) + 1)
  }
  const admin = kafka.admin({ retry: { retries: 1, initialRetryTime: 100 } })
  await admin.connect()
  const looking = look(admin, topic, lease, Math.min(LOOK_MS, options.leaseMs / 4), logger, over.signal)
  const following = keepFollowing(kafka, config, topic, apply, logger, over.signal)
  const expiry = setInterval(() => held.expire(Date.now()), EXPIRE_MS)
  expiry.unref()
  while (!lease.isFresh()) await sleep(20)
  return {
    isEmpty: held.isEmpty,
    get: held.get,
    version: held.version,
    isFresh: () => lease.isFresh() && !held.isFull(),
    endsAt: lease.endsAt,
    learnLinked(handles, state) {
      for (const handle of handles) {
        if (held.set({ handle: handle.toString('latin1'), source: FROM_LINKS }, state))
          options.onChange(handle)
      }
    },
    size: held.size,
    async close() {
      over.abort()
      clearInterval(expiry)
      // Nothing of it is to be kept: a Kafka that answers late must not hold up the end of the process.
      const left = Promise.all([following, looking]).then(() => admin.disconnect())
      await Promise.race([left.catch(() => undefined), sleep(LEAVE_MS)])
    },
  }
}

/** Questions that may be under way at once. */
const MAX_ASKING = 5

/**
 * Asks for the topic's ends again and again, the next question without waiting for the last one's answer: a broker that
 * answers late is not yet away. While Kafka is away nothing is known, and the lease runs out.
 */
async function look(
  admin: kafkajs.Admin,
  topic: string,
  lease: StateLease,
  everyMs: number,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const asking = new Set<Promise<void>>()
  while (!signal.aborted) {
    if (asking.size < MAX_ASKING) {
      const asked = ask(admin, topic, lease, logger).finally(() => asking.delete(asked))
      asking.add(asked)
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined)
  }
  await Promise.all(asking)
}

async function ask(admin: kafkajs.Admin, topic: string, lease: StateLease, logger: Logger): Promise<void> {
  const askedAt = currentMoment()
  try {
    const ends = await admin.fetchTopicOffsets(topic)
    lease.aim(
      ends.map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) })),
      askedAt,
    )
    if (lease.isFresh()) return
    const askedMs = Math.round(performance.now() - askedAt.monotonic)
    logger.warn({ behind: lease.behind(), askedMs }, 'subject states are not known up to now')
  } catch (error) {
    logger.warn({ error: (error as Error).name }, 'the head of subject states is not known')
  }
}

/** Reads for as long as the signal lets it: a consumer that gives up is replaced by another. */
async function keepFollowing(
  kafka: kafkajs.Kafka,
  config: Config,
  topic: string,
  apply: (batch: kafkajs.Batch) => void,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const consumer = kafka.consumer({
      groupId: prefixed(config, `states-${randomUUID()}`),
      maxWaitTimeInMs: 1_000,
      retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 1_000 },
      allowAutoTopicCreation: false,
    })
    try {
      const stopped = new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true })
        consumer.on(consumer.events.CRASH, ({ payload }) => {
          if (!payload.restart) resolve()
        })
      })
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await consumer.run({ autoCommit: false, eachBatch: async ({ batch }) => apply(batch) })
      await stopped
    } catch (error) {
      logger.warn({ error: (error as Error).name }, 'subject states cannot be followed')
    }
    await consumer.disconnect().catch(() => undefined)
    await sleep(RESTART_MS, undefined, { signal }).catch(() => undefined)
  }
}
