import type { IngestTargets } from '../schemas/etl.ts'

/** What the ETL needs to know of Kafka; kafka/read-ingest-offsets.ts asks the broker. */
export interface IngestOffsets {
  /** Log-end offset of every partition of `events`. */
  readLogEnd(): Promise<IngestTargets>
  /** Offset that the ingest group has committed, by partition; absent where it never committed. */
  readCommitted(): Promise<Map<number, bigint>>
}

/**
 * Records that stand before the targets and are not acknowledged. A commit acknowledges the cut before it (its rows are
 * in ClickHouse by then), so an offset at or past the target means that all of it is counted. A partition that never
 * got a commit is behind by all it holds; one that never got a record is behind by nothing.
 */
export function countBehind(targets: IngestTargets, committed: ReadonlyMap<number, bigint>): number {
  let behind = 0n
  for (const [partition, target] of targets.offsets) {
    const missing = BigInt(target) - (committed.get(partition) ?? 0n)
    if (missing > 0n) behind += missing
  }
  return Number(behind)
}
