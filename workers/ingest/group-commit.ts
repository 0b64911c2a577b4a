import type kafkajs from 'kafkajs'
import { type CutMetadata, encodeCutMetadata } from '../../kafka/cut-metadata.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import { COMMIT_PATIENCE_MS, RETRY_FIRST_MS, RETRY_LONGEST_MS } from './limits.ts'
import { createBackoff, sessionOver } from './wait.ts'

/** The broker says that another generation of the group has begun. */
const FENCED = new Set([
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
])

/** What is committed for one partition: the offset that all before is stored up to, and what is being written from there. */
export interface PartitionCommit {
  partition: number
  offset: number
  metadata: CutMetadata
}

interface Offsets {
  topics: { topic: string; partitions: { partition: number; offset: string; metadata: string }[] }[]
}
/** eachBatch's `commitOffsetsIfNecessary`: the only way through kafkajs that tells the truth about a commit. */
export type BatchCommit = (offsets: Offsets) => Promise<void>

export interface GroupCommits {
  /** To be called with the payload of each batch: its commit function serves until the consumer starts anew. */
  learn(commit: BatchCommit): void
  /** The consumer starts anew. */
  reset(): void
  /**
   * Commits for a session, if it is still the group's current one when the request leaves. All partitions go in one request,
   * which the broker writes as a whole or not at all (ADR 0012).
   * @throws EbbError `session_over`, `commit_failed` (after long trying: end the process)
   */
  commitFenced(session: CommitSession, commits: readonly PartitionCommit[]): Promise<void>
}

export interface CommitSession {
  signal: AbortSignal
  isCurrent(): boolean
  end(): void
}

type Coordinator = Awaited<ReturnType<kafkajs.Cluster['findGroupCoordinator']>>

/**
 * Fenced offset commits. kafkajs's `consumer.commitOffsets` is not used: while stopping it answers success without
 * committing, and after a rebalance it repeats a refused commit under the new generation, for a partition that may be
 * somebody else's. A member that has had no batch yet commits through the coordinator itself, under the generation that
 * its heartbeats show.
 */
export function createGroupCommits(deps: {
  consumer: kafkajs.Consumer
  logger: Logger
  topic: string
  groupId: string
  cluster(): kafkajs.Cluster | undefined
}): GroupCommits {
  const { consumer, topic, groupId } = deps
  let viaBatch: BatchCommit | undefined
  let member: { memberId: string; groupGenerationId: number } | undefined
  const confirmed = new Map<number, string>()

  consumer.on(consumer.events.HEARTBEAT, ({ payload }) => {
    member = payload
  })
  consumer.on(consumer.events.GROUP_JOIN, () => {
    member = undefined
  })
  consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
    for (const { partitions } of payload.topics)
      for (const { partition, offset } of partitions) confirmed.set(partition, String(offset))
  })

  /** Not async on purpose: nothing may come between the caller's check and the request. */
  const request = (partitions: Offsets['topics'][number]['partitions']): Promise<boolean> => {
    const topics = [{ topic, partitions }]
    for (const { partition } of partitions) confirmed.delete(partition)
    const isConfirmed = () => partitions.every(({ partition, offset }) => confirmed.get(partition) === offset)
    if (viaBatch) return viaBatch({ topics }).then(isConfirmed)
    const cluster = deps.cluster()
    if (!member || !cluster) return Promise.resolve(false)
    const { memberId, groupGenerationId } = member
    return cluster
      .findGroupCoordinator({ groupId })
      .then((coordinator: Coordinator) =>
        coordinator.offsetCommit({ groupId, memberId, groupGenerationId, topics }),
      )
      .then(() => true)
  }

  return {
    learn: (commit) => {
      viaBatch = commit
    },
    reset: () => {
      viaBatch = undefined
      member = undefined
    },
    async commitFenced(session, commits) {
      const partitions = commits.map(({ partition, offset, metadata }) => ({
        partition,
        offset: String(offset),
        metadata: encodeCutMetadata(metadata),
      }))
      const backoff = createBackoff(RETRY_FIRST_MS, RETRY_LONGEST_MS, session.signal)
      const giveUpAt = Date.now() + COMMIT_PATIENCE_MS
      for (;;) {
        // kafkajs takes the new generation and tells of it within one turn of the event loop: check in a turn of our own.
        await new Promise(setImmediate)
        if (!session.isCurrent()) throw sessionOver()
        try {
          if (await request(partitions)) return
        } catch (error) {
          const type = (error as { type?: string }).type ?? (error as Error).name
          if (FENCED.has(type)) {
            session.end()
            throw sessionOver()
          }
          deps.logger.warn(
            { partitions: commits.map(({ partition }) => partition), error: type },
            'commit failed',
          )
          if (Date.now() > giveUpAt)
            throw new EbbError('commit_failed', `offsets could not be committed: ${type}`, { cause: error })
        }
        await backoff()
      }
    },
  }
}
