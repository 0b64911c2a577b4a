import { CUT_INTERVAL_MS, FETCH_LEAD_MS, FETCH_OVERDUE_PAUSE_MS, FETCH_PAUSE_MS } from './limits.ts'

/** When lanes cut next, and so how long fetches may wait; moments by performance.now(). */
export interface CutClock {
  /** The lane begins a round. */
  began(lane: number, now: number): void
  /** The lane is another member's. */
  forget(lane: number): void
  /** A batch of a partition was buffered. @param next offset behind its last record @param head where the partition ended when it was fetched */
  fetched(partition: number, next: number, head: number): void
  /** Partitions belong to a new session. */
  reset(): void
  /** Milliseconds for which no lane needs more records than it has; 0: fetch at once. @param partition whose batch was buffered last */
  restMs(partition: number, now: number): number
}

/**
 * An idle lane cuts as soon as records come, so while there is one nothing waits for long. Nor while any partition is behind: who waits
 * keeps all partitions of its broker waiting. What is caught up waits a moment even then, else another broker would be asked for each
 * record by itself.
 */
export function createCutClock(): CutClock {
  const begun = new Map<number, number>()
  const behind = new Set<number>()
  return {
    began: (lane, now) => void begun.set(lane, now),
    forget: (lane) => void begun.delete(lane),
    fetched(partition, next, head) {
      if (next < head) behind.add(partition)
      else behind.delete(partition)
    },
    reset: () => behind.clear(),
    restMs(partition, now) {
      if (behind.size > 0) return behind.has(partition) ? 0 : FETCH_PAUSE_MS
      const untilCutMs = Math.min(now, ...begun.values()) + CUT_INTERVAL_MS - now
      if (untilCutMs <= 0) return FETCH_OVERDUE_PAUSE_MS
      return Math.max(FETCH_PAUSE_MS, untilCutMs - FETCH_LEAD_MS)
    },
  }
}
