import { EbbError } from '../../runtime/errors.ts'

/** `session_over`: this member may own the partition no longer; whoever owns it now goes on from the last commit. */
export type SessionErrorCode = 'session_over'

export function sessionOver(): EbbError {
  return new EbbError('session_over', 'the group moved on')
}

/** @throws EbbError `session_over` as soon as the signal fires */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(sessionOver())
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', over)
    }
    const over = () => {
      done()
      reject(sessionOver())
    }
    const timer = setTimeout(() => {
      done()
      resolve()
    }, ms)
    signal.addEventListener('abort', over)
  })
}

/** @throws EbbError `session_over` as soon as the signal fires, else what the promise does */
export function orOver<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const over = () => reject(sessionOver())
    if (signal.aborted) over()
    signal.addEventListener('abort', over)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', over))
  })
}

/** Pauses that double from `first` to `longest`, for as long as an engine is away. */
export function createBackoff(first: number, longest: number, signal: AbortSignal): () => Promise<void> {
  let next = first
  return async () => {
    const ms = next
    next = Math.min(next * 2, longest)
    await pause(ms, signal)
  }
}

/** Lets at most `limit` run at once; the rest wait in order. */
export function createSlots(limit: number): { run<T>(task: () => Promise<T>): Promise<T>; busy(): number } {
  let busy = 0
  const queue: (() => void)[] = []
  return {
    async run(task) {
      if (busy >= limit) await new Promise<void>((resolve) => queue.push(resolve))
      else busy++
      try {
        return await task()
      } finally {
        // The place is handed on, so that nobody who comes later overtakes.
        const next = queue.shift()
        if (next) next()
        else busy--
      }
    },
    busy: () => busy,
  }
}

export interface Waker {
  /** Resolves all that wait now. */
  wake(): void
  /** Resolves at the next `wake`, or after `ms`. */
  wait(ms: number): Promise<void>
}

export function createWaker(): Waker {
  const waiting = new Set<() => void>()
  return {
    wake() {
      for (const go of [...waiting]) go()
    },
    wait: (ms) =>
      new Promise((resolve) => {
        const go = () => {
          clearTimeout(timer)
          waiting.delete(go)
          resolve()
        }
        const timer = setTimeout(go, ms)
        waiting.add(go)
      }),
  }
}
