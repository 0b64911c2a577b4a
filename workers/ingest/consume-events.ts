import { setTimeout as sleep } from 'node:timers/promises'
import type kafkajs from 'kafkajs'
import { createKafka, prefixed } from '../../kafka/client.ts'
import { INGEST_GROUP } from '../../kafka/cut-metadata.ts'
import { EbbError } from '../../runtime/errors.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import { createLaneAssigner } from './assign-lanes.ts'
import { type CutClock, createCutClock } from './cut-clock.ts'
import { type BatchCommit, createGroupCommits, type GroupCommits } from './group-commit.ts'
import { createFetchHold, type FetchHold } from './hold-fetches.ts'
import { inspectRecord } from './inspect-record.ts'
import {
  BUFFER_MAX_BYTES,
  FETCH_MAX_BYTES,
  FETCH_MAX_BYTES_PER_PARTITION,
  FETCH_MAX_WAIT_MS,
  FETCH_OVERDUE_PAUSE_MS,
  FETCH_PAUSE_MS,
  HEARTBEAT_MS,
  INSERTS_AT_ONCE,
  SESSION_TIMEOUT_MS,
} from './limits.ts'
import { type ConsumeDeps, type OwnedSession, openSession } from './open-session.ts'
import { createBufferBudget } from './partition-buffer.ts'
import { createSlots } from './wait.ts'

export interface EventConsumer {
  /** Owns its lanes (perhaps none) and writes. */
  isReady(): boolean
  /** Finishes and acknowledges the cuts at hand, then leaves the group. */
  close(): Promise<void>
}

const DRAIN_MS = 7_000
/** A member that must end tells the group, so that others need not wait for its session to run out. */
const LEAVE_MS = 2_000

/**
 * kafkajs as a source of records and of fenced commits. Batches only fill buffers; each lane's own loop
 * (run-lane.ts) empties those of its partitions, so that fetching goes on while ClickHouse writes.
 */
export async function consumeEvents(deps: ConsumeDeps): Promise<EventConsumer> {
  const topic = prefixed(deps.config, TOPICS.events)
  const groupId = prefixed(deps.config, INGEST_GROUP)
  const kafka = createKafka(deps.config, deps.logger, 'ebb-ingest')
  const admin = kafka.admin()
  let cluster: kafkajs.Cluster | undefined
  const consumer = createConsumer(kafka, groupId, (found) => {
    cluster = found
  })
  const { logger } = deps
  const commits = createGroupCommits({ consumer, logger, topic, groupId, cluster: () => cluster })
  const budget = createBufferBudget()
  const cutClock = createCutClock()
  const turns = createSlots(1)
  const slots = createSlots(INSERTS_AT_ONCE)
  let session: OwnedSession | undefined
  const fetches = createFetchHold({
    budget,
    maxBytes: BUFFER_MAX_BYTES,
    isShort: (partition) => session?.runs.get(partition)?.isShort() ?? false,
    partitions: () => session?.runs.keys() ?? [],
    pause: (partition) => consumer.pause([{ topic, partitions: [partition] }]),
    resume: (partitions) => consumer.resume([{ topic, partitions }]),
  })
  const fail = (error: Error) => {
    session?.end()
    // Never rejects: a group that cannot be left within its time is left by the session's end.
    void leaveGroup(consumer).then(() => deps.onCrash(error))
  }

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const assigned = payload.memberAssignment[topic] ?? []
    // Nothing is fetched before the metadata was read: kafkajs would silently begin anew where offsets are out of range.
    if (assigned.length > 0) consumer.pause([{ topic, partitions: assigned }])
    session?.end()
    fetches.reset()
    cutClock.reset()
    const sessionDeps = {
      ...deps,
      onCrash: fail,
      admin,
      consumer,
      topic,
      commits,
      budget,
      cutClock,
      turns,
      slots,
    }
    session = openSession(sessionDeps, assigned, session?.ended ?? Promise.resolve())
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    session?.end()
    commits.reset()
    if (!payload.restart) deps.onCrash(payload.error)
  })

  await Promise.all([admin.connect(), consumer.connect()])
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: 64,
    eachBatch: createBatchReceiver({
      session: () => session,
      onCrash: deps.onCrash,
      commits,
      fetches,
      cutClock,
      pauseAWhile: async () => {
        if (slots.busy() > 0) await budget.released(FETCH_PAUSE_MS)
      },
    }),
  })
  return {
    isReady: () => session?.isReady() ?? false,
    async close() {
      await session?.drain(DRAIN_MS)
      await consumer.disconnect()
      await admin.disconnect()
    },
  }
}

/** Within `LEAVE_MS`, however Kafka is. */
async function leaveGroup(consumer: kafkajs.Consumer): Promise<void> {
  const disconnected = consumer.disconnect().catch(() => undefined)
  await Promise.race([disconnected, new Promise((resolve) => setTimeout(resolve, LEAVE_MS))])
}

/** Puts each batch into its partition's buffer, and keeps the next from coming too soon. */
function createBatchReceiver(deps: {
  session(): OwnedSession | undefined
  onCrash(error: Error): void
  commits: GroupCommits
  fetches: FetchHold
  cutClock: CutClock
  pauseAWhile(): Promise<void>
}): (payload: kafkajs.EachBatchPayload) => Promise<void> {
  return async (payload) => {
    const session = deps.session()
    const { messages, partition, highWatermark } = payload.batch
    const run = session?.runs.get(partition)
    if (!session || !run) return
    // kafkajs fetches what is not taken again at once.
    if (session.isDraining()) return void (await sleep(FETCH_OVERDUE_PAUSE_MS))
    deps.commits.learn(payload.commitOffsetsIfNecessary as BatchCommit)
    if (!run.append(messages.map(inspectRecord), Number(highWatermark))) {
      deps.onCrash(
        new EbbError('records_lost', `partition ${partition}: Kafka no longer has records not yet read`),
      )
      return
    }
    const { offset } = messages.at(-1)!
    payload.resolveOffset(offset)
    deps.cutClock.fetched(partition, Number(offset) + 1, Number(highWatermark))
    const restMs = deps.cutClock.restMs(partition, performance.now())
    if (restMs > 0) await sleep(restMs)
    else await deps.pauseAWhile()
    const stillOurs = () => session.isCurrent() && payload.isRunning()
    // The heartbeat throws when the group rebalances; kafkajs then joins again.
    await deps.fetches.hold(partition, stillOurs, payload.heartbeat)
  }
}

function createConsumer(
  kafka: kafkajs.Kafka,
  groupId: string,
  onCluster: (cluster: kafkajs.Cluster) => void,
): kafkajs.Consumer {
  return kafka.consumer({
    groupId,
    partitionAssigners: [createLaneAssigner(onCluster)],
    sessionTimeout: SESSION_TIMEOUT_MS,
    rebalanceTimeout: SESSION_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_MS,
    minBytes: 1,
    maxBytes: FETCH_MAX_BYTES,
    maxBytesPerPartition: FETCH_MAX_BYTES_PER_PARTITION,
    maxWaitTimeInMs: FETCH_MAX_WAIT_MS,
    allowAutoTopicCreation: false,
    retry: { retries: 10, initialRetryTime: 100, maxRetryTime: 2_000 },
  })
}
