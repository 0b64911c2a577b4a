import { Context } from '@temporalio/activity'
import type { EtlActivities } from '../schemas/etl.ts'
import { countBehind, type ReadIngestProgress } from './ingest-offsets.ts'

const POLL_EVERY_MS = 1_000
const POLL_FOR_MS = 5 * 60_000

/**
 * Polls the ingest group until it has passed the targets, five minutes at most: the workflow decides what a longer
 * wait means. Beats with what is behind, which Temporal's UI shows.
 */
export function createAwaitIngest(
  read: ReadIngestProgress,
  pollForMs = POLL_FOR_MS,
): EtlActivities['awaitIngest'] {
  return async ({ targets }) => {
    const context = Context.current()
    const until = Date.now() + pollForMs
    for (;;) {
      const behind = countBehind(targets, await read())
      context.heartbeat({ behind })
      if (behind === 0 || Date.now() >= until) return { behind }
      await context.sleep(POLL_EVERY_MS)
    }
  }
}
