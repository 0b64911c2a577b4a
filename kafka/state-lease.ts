/** Where each partition of a topic ends, and begins. */
export interface PartitionEnds {
  partition: number
  low: number
  high: number
}

/** A moment by both clocks: one goes on while the process stands still, the other while the machine does. */
export interface Moment {
  /** performance.now() */
  monotonic: number
  /** Milliseconds since 1970. */
  wall: number
}

export function currentMoment(): Moment {
  return { monotonic: performance.now(), wall: Date.now() }
}

/** A wall clock that is set back by more than this ends the lease. */
const SET_BACK_MS = 1_000

const MAX_GOALS = 16

export interface StateLease {
  /** @returns false where this record was applied before: a second reading must not bring back an older state. */
  take(partition: number, offset: number): boolean
  /** All of a partition below `offset` is applied. */
  advance(partition: number, offset: number): void
  /** The ends of all partitions, asked for at `askedAt`: once they are reached, the lease runs from that moment on. */
  aim(ends: readonly PartitionEnds[], askedAt: Moment): void
  /** Was the head of every partition seen within the lease? */
  isFresh(now?: Moment): boolean
  /** Records known of and not yet applied. */
  behind(): number
  /** When the lease runs out, milliseconds since 1970; 0 before it first begins. */
  endsAt(): number
}

/**
 * A collector may go on for `leaseMs` after a moment at which it knew every state. Counted from before the question for
 * the ends: whatever was acknowledged by then is below them.
 */
export function createStateLease(leaseMs: number): StateLease {
  const applied = new Map<number, number>()
  // Oldest first: while states pour in, the last one asked for is always a little ahead of what was read.
  let goals: { ends: readonly PartitionEnds[]; askedAt: Moment }[] = []
  let granted: Moment | undefined

  const grant = () => {
    const reached = goals.findLastIndex(({ ends }) =>
      ends.every(({ partition, high }) => (applied.get(partition) ?? 0) >= high),
    )
    if (reached < 0) return
    const { askedAt } = goals[reached]!
    // Answers may come out of order.
    if (!granted || askedAt.monotonic > granted.monotonic) granted = askedAt
    goals = goals.slice(reached + 1)
  }
  return {
    take: (partition, offset) => offset >= (applied.get(partition) ?? 0),
    advance(partition, offset) {
      applied.set(partition, Math.max(offset, applied.get(partition) ?? 0))
      grant()
    },
    aim(ends, askedAt) {
      // A log that ends before what was read of it is another log: nothing is known of that one.
      if (ends.length === 0 || ends.some(({ partition, high }) => high < (applied.get(partition) ?? 0)))
        return
      for (const { partition, low } of ends)
        applied.set(partition, Math.max(low, applied.get(partition) ?? 0))
      goals = [...goals.slice(-MAX_GOALS), { ends, askedAt }]
      grant()
    },
    isFresh(now = currentMoment()) {
      if (!granted) return false
      const wall = now.wall - granted.wall
      return now.monotonic - granted.monotonic <= leaseMs && wall <= leaseMs && wall >= -SET_BACK_MS
    },
    behind() {
      const ends = goals.at(-1)?.ends ?? []
      return ends.reduce(
        (sum, { partition, high }) => sum + Math.max(0, high - (applied.get(partition) ?? 0)),
        0,
      )
    },
    endsAt: () => (granted ? granted.wall + leaseMs : 0),
  }
}
