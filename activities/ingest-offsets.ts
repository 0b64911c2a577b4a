import type { IngestProgress } from '../kafka/read-ingest-progress.ts'
import type { IngestTargets } from '../schemas/etl.ts'

export type ReadIngestProgress = () => Promise<
  Pick<IngestProgress, 'partition' | 'low' | 'high' | 'committed'>[]
>

/**
 * Records that stand before the targets and are not acknowledged. A commit acknowledges the cut before it (its rows are
 * in ClickHouse by then), so an offset at or past the target means that all of it is counted. A partition that never
 * got a commit is behind by all that it still holds: what retention took away nobody will ever read.
 */
export function countBehind(
  targets: IngestTargets,
  progress: Awaited<ReturnType<ReadIngestProgress>>,
): number {
  let behind = 0
  for (const [partition, target] of targets.offsets) {
    const now = progress.find((one) => one.partition === partition)
    behind += Math.max(0, target - Math.max(0, now?.committed ?? 0, now?.low ?? 0))
  }
  return behind
}
