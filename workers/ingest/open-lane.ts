import type { CutMetadata } from '../../kafka/cut-metadata.ts'
import { faultPoint } from '../../runtime/fault.ts'
import type { Breaks } from './break-promise.ts'
import type { Cut } from './cut-position.ts'
import type { PartitionStart } from './decide-start.ts'
import type { SeenBatches } from './find-retries.ts'
import type { PartitionCommit } from './group-commit.ts'
import type { IngestRecord } from './inspect-record.ts'
import type { PartitionBuffer } from './partition-buffer.ts'

/** A cut with what its declaration says of it. */
export interface DeclaredCut extends Cut, Pick<CutMetadata, 'rev' | 'joint'> {}

/** A cut of a round and the records in it. */
export interface RoundCut {
  owner: LanePartition
  cut: DeclaredCut
  records: readonly IngestRecord[]
}

/** What a member knows of a partition that it owns. */
export interface LanePartition {
  readonly partition: number
  readonly buffer: PartitionBuffer
  readonly seen: SeenBatches
  readonly era: string
  /** All before it is in ClickHouse. */
  position: number
  /** The cut from `position` on that is declared, or about to be. */
  open: DeclaredCut | undefined
  /** Revocations below it are applied in the open cut, else in all that follow. Until it is known commits leave the partition out. */
  rev: number | undefined
  /** ClickHouse could not read a cut up to `end`: until all of it is written, cuts have no more records than this. */
  suspect: { end: number; maxRecords: number } | undefined
}

export interface Lane {
  /** In the order of their numbers: a repeat must not depend on who makes it. */
  readonly partitions: readonly LanePartition[]
  /** From now on nothing is cut that was filtered by fewer revocations. */
  see(rev: number): void
  /** Commits for all partitions at once: what was written is acknowledged, what is open is declared. */
  declare(): Promise<void>
  /** The same where nothing is open. @returns false when all of it was committed before */
  acknowledge(): Promise<boolean>
}

export interface OwnedPartition {
  partition: number
  begin: PartitionStart
  buffer: PartitionBuffer
  seen: SeenBatches
}

/** @param commit commits, fenced, in one request. @see GroupCommits */
export function openLane(
  deps: { epoch: string; breaks: Breaks; commit(commits: readonly PartitionCommit[]): Promise<void> },
  owned: readonly OwnedPartition[],
): Lane {
  const partitions = [...owned]
    .sort((a, b) => a.partition - b.partition)
    .map(
      ({ partition, begin, buffer, seen }): LanePartition => ({
        ...{ partition, buffer, seen },
        era: begin.era,
        position: begin.start,
        open: undefined,
        rev: undefined,
        suspect: undefined,
      }),
    )
  let committed = ''

  const commitOf = ({ partition, era, position, open, rev }: LanePartition): PartitionCommit[] => {
    if (rev === undefined) return []
    const metadata = { end: open?.end ?? position, rev, epoch: deps.epoch, era }
    if (deps.breaks('commit-first')) return [{ partition, offset: metadata.end, metadata }]
    return [{ partition, offset: position, metadata: { ...metadata, joint: open?.joint } }]
  }
  const commit = async (commits: readonly PartitionCommit[]) => {
    await deps.commit(commits)
    committed = JSON.stringify(commits)
  }
  return {
    partitions,
    see(rev) {
      for (const partition of partitions) partition.rev = rev
    },
    declare: () => commit(partitions.flatMap(commitOf)),
    async acknowledge() {
      const commits = partitions.flatMap(commitOf)
      if (commits.length === 0 || JSON.stringify(commits) === committed) return false
      await commit(commits)
      faultPoint('ingest.after-ack')
      return true
    },
  }
}
