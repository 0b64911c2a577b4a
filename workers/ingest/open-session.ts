import type kafkajs from 'kafkajs'
import type { CutMetadata } from '../../kafka/cut-metadata.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { ConsumeDeps } from './consume-events.ts'
import type { PartitionStart } from './decide-start.ts'
import { openSeenBatches } from './find-retries.ts'
import type { CommitSession, GroupCommits } from './group-commit.ts'
import type { IngestRecord } from './inspect-record.ts'
import { RETRY_FIRST_MS, RETRY_LONGEST_MS } from './limits.ts'
import { openPartitions } from './open-partition.ts'
import { type BufferBudget, createPartitionBuffer } from './partition-buffer.ts'
import { runPartition } from './run-partition.ts'
import { createBackoff, type createSlots } from './wait.ts'
import { createLagWatch, type LagWatch } from './watch-lag.ts'

export interface SessionDeps extends ConsumeDeps {
  admin: kafkajs.Admin
  consumer: kafkajs.Consumer
  topic: string
  commits: GroupCommits
  budget: BufferBudget
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
    const loops = [...starts].map(([partition, start]) =>
      startPartition(deps, session, lag, partition, start),
    )
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

function startPartition(
  deps: SessionDeps,
  session: OwnedSession,
  lag: LagWatch,
  partition: number,
  begin: PartitionStart,
): Promise<void> {
  const buffer = createPartitionBuffer(begin.start, deps.budget)
  const seen = openSeenBatches({
    ...deps,
    partition,
    epoch: deps.identity.epoch,
    signal: session.signal,
    openPartitions: () => session.runs.size,
  })
  let highWatermark = begin.start
  session.runs.set(partition, {
    append(records, high) {
      highWatermark = high
      return buffer.append(records)
    },
    isShort: () => begin.declared !== undefined && buffer.nextOffset() < begin.declared.end,
  })
  lag.acknowledged(partition, begin.start, begin.start)
  deps.consumer.seek({ topic: deps.topic, partition, offset: String(begin.start) })
  const commitCut = async (offset: number, metadata: CutMetadata) => {
    await deps.commits.commitFenced(session, partition, offset, { ...metadata, since: session.since })
    lag.acknowledged(partition, offset, highWatermark)
  }
  const loop = runPartition(
    {
      ...deps,
      partition,
      buffer,
      seen,
      commitCut,
      signal: session.signal,
      isRevoked: deps.revocations.isRevoked,
      isDraining: session.isDraining,
    },
    begin,
  )
  return loop.finally(() => {
    buffer.close()
    lag.forget(partition)
    deps.metrics.forget(partition)
  })
}
