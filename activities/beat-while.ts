import { Context } from '@temporalio/activity'

const BEAT_EVERY_MS = 10_000

/**
 * Heartbeats while one long call runs, so that a dead worker is noticed within the heartbeat time-out although the call
 * itself cannot report progress. A cancelled activity rejects at once; the call is left to end by its own time-out.
 */
export async function beatWhile<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current()
  const beat = setInterval(() => context.heartbeat(), BEAT_EVERY_MS)
  try {
    return await Promise.race([work(), context.cancelled])
  } finally {
    clearInterval(beat)
  }
}
