import { pause } from './wait.ts'

/** Kafka is asked this often how far its log has come. */
const LOOK_MS = 5_000

export interface LagWatch {
  /** All before `offset` is acknowledged. @param end the log's end, where a fetch has told it */
  acknowledged(partition: number, offset: number, end: number): void
  /** The partition is no longer ours. */
  forget(partition: number): void
  /** Looks until the signal fires. @throws EbbError `session_over` then */
  watch(signal: AbortSignal): Promise<void>
}

/**
 * Records that are in Kafka and not acknowledged. What a fetch tells of the log's end is not enough: while ClickHouse is
 * away nothing is fetched or committed, and the lag would stand still though it grows.
 */
export function createLagWatch(deps: {
  /** The next offset of each partition. */
  fetchEnds(): Promise<ReadonlyMap<number, number>>
  set(partition: number, records: number): void
  lookMs?: number
}): LagWatch {
  const positions = new Map<number, { offset: number; end: number }>()
  const tell = (partition: number, offset: number, end: number) => {
    positions.set(partition, { offset, end })
    deps.set(partition, Math.max(0, end - offset))
  }
  return {
    acknowledged(partition, offset, end) {
      tell(partition, offset, Math.max(end, positions.get(partition)?.end ?? 0))
    },
    forget: (partition) => positions.delete(partition),
    async watch(signal) {
      for (;;) {
        // While Kafka is away its end is not known, and the last figure stands.
        const ends = await deps.fetchEnds().catch(() => undefined)
        for (const [partition, end] of ends ?? []) {
          const known = positions.get(partition)
          if (known && !signal.aborted) tell(partition, known.offset, Math.max(end, known.end))
        }
        await pause(deps.lookMs ?? LOOK_MS, signal)
      }
    },
  }
}
