import { CUT_INTERVAL_MS, FETCH_LEAD_MS } from './limits.ts'

/** When lanes cut next; moments by performance.now(). */
export interface CutClock {
  /** The lane begins a round. */
  began(lane: number, now: number): void
  /** The lane is another member's. */
  forget(lane: number): void
  /** Milliseconds for which no lane needs more records than it has; 0 or less: fetch at once. */
  restMs(now: number): number
}

/** An idle lane cuts as soon as records come, so as long as there is one nothing may wait. */
export function createCutClock(): CutClock {
  const begun = new Map<number, number>()
  return {
    began: (lane, now) => void begun.set(lane, now),
    forget: (lane) => void begun.delete(lane),
    restMs: (now) => Math.min(now, ...begun.values()) + CUT_INTERVAL_MS - FETCH_LEAD_MS - now,
  }
}
