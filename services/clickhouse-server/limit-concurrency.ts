import { ClickHouseError } from './map-error.ts'

export interface ConcurrencyLimit {
  /** Runs `work` when its turn comes. @throws ClickHouseError 202 when too many wait already. */
  run<T>(work: () => Promise<T>): Promise<T>
  running(): number
  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void>
}

/** Lets `most` run side by side and `waiting` more wait in order. */
export function limitConcurrency(most: number, waiting: number): ConcurrencyLimit {
  const queue: (() => void)[] = []
  const idlers: (() => void)[] = []
  let running = 0

  function leave(): void {
    const next = queue.shift()
    if (next !== undefined) {
      next()
      return
    }
    running -= 1
    if (running === 0) for (const resolve of idlers.splice(0)) resolve()
  }

  return {
    async run(work) {
      if (running < most) running += 1
      else if (queue.length < waiting) await new Promise<void>((resolve) => queue.push(resolve))
      else
        throw new ClickHouseError(
          202,
          'TOO_MANY_SIMULTANEOUS_QUERIES',
          `Too many simultaneous queries: ${most} run, ${waiting} wait`,
        )
      try {
        return await work()
      } finally {
        leave()
      }
    },
    running: () => running,
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve))),
  }
}
