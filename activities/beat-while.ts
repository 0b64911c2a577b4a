import { Context } from '@temporalio/activity'

/** A third of the time-out that erasures give (workflows/erasure-activities.ts); workers must not hold beats back for longer. */
export const BEAT_EVERY_MS = 5_000

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

type Activity = (input: never) => Promise<unknown>

/**
 * The same for all of them, for workflows that give each step a heartbeat time-out: a step whose worker was killed is given to
 * another within that, and not after the minutes that it may take. Local activities have no heartbeat; they end with their worker.
 */
export function beatAll<A extends Record<keyof A, Activity>>(activities: A): A {
  const beating = Object.entries<Activity>(activities).map(([name, activity]) => [
    name,
    (input: never) => (Context.current().info.isLocal ? activity(input) : beatWhile(() => activity(input))),
  ])
  return Object.fromEntries(beating) as A
}
