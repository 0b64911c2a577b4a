import type { BufferBudget } from './partition-buffer.ts'

export interface FetchHold {
  /**
   * To be called when a batch has been buffered. Returns once the next batch of this partition may come.
   * @param stillOurs false ends the wait. @param heartbeat throws when the group moves on
   */
  hold(partition: number, stillOurs: () => boolean, heartbeat: () => Promise<void>): Promise<void>
  /** The partitions belong to a new session: nothing is held. */
  reset(): void
}

/** A blocked batch looks this often whether the group still knows us. */
const HEARTBEAT_CHECK_MS = 500

/**
 * Keeps what is buffered near `maxBytes`. A batch that waits here also keeps all other partitions of its broker waiting,
 * so nobody waits while one lacks records of the cut that an earlier owner declared: it can write nothing before it has
 * them, and would wait for ever. The others are paused instead until it has them; a declared cut is bounded by itself.
 */
export function createFetchHold(deps: {
  budget: BufferBudget
  maxBytes: number
  /** Does the partition lack records of its declared cut? */
  isShort(partition: number): boolean
  /** Partitions of the current session. */
  partitions(): Iterable<number>
  pause(partition: number): void
  resume(partitions: number[]): void
}): FetchHold {
  const { budget } = deps
  const paused = new Set<number>()
  const isAnyShort = () => [...deps.partitions()].some(deps.isShort)
  const resumePaused = () => {
    if (paused.size === 0) return
    deps.resume([...paused])
    paused.clear()
  }
  return {
    async hold(partition, stillOurs, heartbeat) {
      if (!isAnyShort()) resumePaused()
      while (budget.bytes() > deps.maxBytes && stillOurs()) {
        if (isAnyShort()) {
          if (deps.isShort(partition)) return
          paused.add(partition)
          deps.pause(partition)
          return
        }
        await budget.released(HEARTBEAT_CHECK_MS)
        await heartbeat()
      }
    },
    reset: () => paused.clear(),
  }
}
