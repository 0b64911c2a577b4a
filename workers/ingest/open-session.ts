import type kafkajs from 'kafkajs'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { RejectionProducer } from '../../kafka/rejection-producer.ts'
import type { TopicIdentity } from '../../kafka/topic-identity.ts'
import type { Config } from '../../runtime/config.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Breaks } from './break-promise.ts'
import type { CutClock } from './cut-clock.ts'
import { laneOf } from './cut-position.ts'
import type { PartitionStart } from './decide-start.ts'
import { openSeenBatches } from './find-retries.ts'
import type { Revocations } from './follow-revocations.ts'
import type { CommitSession, GroupCommits, PartitionCommit } from './group-commit.ts'
import type { IngestMetrics } from './ingest-metrics.ts'
import type { IngestRecord } from './inspect-record.ts'
import { RETRY_FIRST_MS, RETRY_LONGEST_MS } from './limits.ts'
import type { OwnedPartition } from './open-lane.ts'
import { openPartitions } from './open-partitions.ts'
import { type BufferBudget, createPartitionBuffer } from './partition-buffer.ts'
import { runLane } from './run-lane.ts'
import { createBackoff, type createSlots, createWaker } from './wait.ts'
import { createLagWatch, type LagWatch } from './watch-lag.ts'

/** What consuming needs, whatever this member owns. */
export interface ConsumeDeps {
  config: Config
  logger: Logger
  clickhouse: ClickHouseClient
  revocations: Revocations
  rejections: RejectionProducer
  metrics: IngestMetrics
  identity: TopicIdentity
  breaks: Breaks
  recover: boolean
  /** The process must end: a supervisor starts it afresh, and it goes on from the last commit. */
  onCrash(error: Error): void
}

export interface SessionDeps extends ConsumeDeps {
  admin: kafkajs.Admin
  consumer: kafkajs.Consumer
  topic: string
  commits: GroupCommits
  budget: BufferBudget
  cutClock: CutClock
  turns: ReturnType<typeof createSlots>
  slots: ReturnType<typeof createSlots>
}

export interface PartitionRun {
  /** @returns false when records are missing before these */
  append(records: IngestRecord[], highWatermark: number): boolean
  /** Lacks records of the cut that an earlier owner declared, and can write nothing before it has them. */
  isShort(): boolean
}

/** What this member owns between two rebalances. */
export interface OwnedSession extends CommitSession {
  runs: Map<number, PartitionRun>
  isReady(): boolean
  isDraining(): boolean
  /** Resolves when no loop of this session runs any more. */
  ended: Promise<void>
  /** When the group gave it its partitions: earlier owners' commits are refused from before this moment on. */
  since: number
  /** Acknowledges what is being written, within `ms`. */
  drain(ms: number): Promise<void>
}

/** @param previous the session before, whose loops must have ended before the same partitions are begun anew */
export function openSession(deps: SessionDeps, assigned: number[], previous: Promise<void>): OwnedSession {
  const over = new AbortController()
  let ready = false
  let draining = false
  const session: OwnedSession = {
    signal: over.signal,
    runs: new Map(),
    isCurrent: () => !over.signal.aborted,
    isReady: () => ready && !over.signal.aborted,
    isDraining: () => draining,
    end: () => over.abort(),
    ended: Promise.resolve(),
    since: Date.now(),
    async drain(ms) {
      draining = true
      const timer = setTimeout(() => over.abort(), ms)
      if (!ready) over.abort()
      await session.ended
      clearTimeout(timer)
      over.abort()
    },
  }
  const lag = createLagWatch({
    fetchEnds: async () =>
      new Map(
        (await deps.admin.fetchTopicOffsets(deps.topic)).map(({ partition, high }) => [
          partition,
          Number(high),
        ]),
      ),
    set: deps.metrics.lag,
  })
  const run = async () => {
    await previous
    const starts = await readStarts(deps, session, assigned)
    const loops = groupByLane(starts).map((begins) => startLane(deps, session, lag, begins))
    if (starts.size > 0) deps.consumer.resume([{ topic: deps.topic, partitions: [...starts.keys()] }])
    ready = true
    // Ends with the session, and is no reason for its end.
    lag.watch(session.signal).catch(() => undefined)
    deps.logger.info({ partitions: [...starts.keys()] }, 'partitions owned')
    await Promise.all(loops)
  }
  session.ended = run().catch((error) => {
    over.abort()
    if (!(error instanceof EbbError && error.code === 'session_over')) deps.onCrash(error as Error)
  })
  return session
}

/** Waits for ClickHouse and Kafka as long as it takes; a refusal is final. */
async function readStarts(
  deps: SessionDeps,
  session: OwnedSession,
  assigned: number[],
): Promise<Map<number, PartitionStart>> {
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_LONGEST_MS, session.signal)
  for (;;) {
    try {
      return await openPartitions({ ...deps, epoch: deps.identity.epoch, signal: session.signal }, assigned)
    } catch (error) {
      if (error instanceof EbbError) throw error
      deps.logger.warn({ error: (error as Error).name }, 'positions cannot be read yet')
      await backoff()
    }
  }
}

function startLane(
  deps: SessionDeps,
  session: OwnedSession,
  lag: LagWatch,
  begins: ReadonlyMap<number, PartitionStart>,
): Promise<void> {
  const arrivals = createWaker()
  const owned = [...begins].map(([partition, begin]): OwnedPartition => {
    const buffer = createPartitionBuffer(begin.start, deps.budget, arrivals)
    const seen = openSeenBatches({
      ...deps,
      partition,
      epoch: deps.identity.epoch,
      signal: session.signal,
      openPartitions: () => session.runs.size,
    })
    return { partition, begin, buffer, seen }
  })
  const highWatermarks = new Map<number, number>()
  for (const { partition, begin, buffer } of owned) {
    session.runs.set(partition, {
      append(records, high) {
        highWatermarks.set(partition, high)
        return buffer.append(records)
      },
      isShort: () => begin.declared !== undefined && buffer.nextOffset() < begin.declared.end,
    })
    lag.acknowledged(partition, begin.start, begin.start)
    deps.consumer.seek({ topic: deps.topic, partition, offset: String(begin.start) })
  }
  const commit = async (commits: readonly PartitionCommit[]) => {
    const signed = commits.map((one) => ({ ...one, metadata: { ...one.metadata, since: session.since } }))
    await deps.commits.commitFenced(session, signed)
    for (const { partition, offset } of commits)
      lag.acknowledged(partition, offset, highWatermarks.get(partition) ?? offset)
  }
  const lane = laneOf(owned[0]!.partition)
  // Until it has cut it may want all there is.
  deps.cutClock.began(lane, Number.NEGATIVE_INFINITY)
  const loop = runLane(
    {
      ...deps,
      arrivals,
      commit,
      began: (now) => deps.cutClock.began(lane, now),
      signal: session.signal,
      isRevoked: deps.revocations.isRevoked,
      isDraining: session.isDraining,
    },
    owned,
  )
  return loop.finally(() => {
    deps.cutClock.forget(lane)
    for (const { partition, buffer } of owned) {
      buffer.close()
      lag.forget(partition)
      deps.metrics.forget(partition)
    }
  })
}

function groupByLane(starts: ReadonlyMap<number, PartitionStart>): Map<number, PartitionStart>[] {
  const lanes = new Map<number, Map<number, PartitionStart>>()
  for (const [partition, start] of starts) {
    const lane = lanes.get(laneOf(partition)) ?? new Map<number, PartitionStart>()
    lanes.set(laneOf(partition), lane.set(partition, start))
  }
  return [...lanes.values()]
}
