import { ApplicationFailure } from '@temporalio/common'
import { sleep } from '@temporalio/workflow'
import type { IngestTargets } from '../schemas/etl.ts'
import { polling, quick } from './etl-activities.ts'
import type { Tracker } from './track-progress.ts'

/** An operator hears of a lag before the morning's first reader does. */
const ESCALATE_AFTER_MS = 30 * 60_000
/** Eight in the morning UTC: a figure that came later would be yesterday's news, and the next day's run needs its turn. */
const GIVE_UP_AFTER_MS = 6 * 3_600_000
/** With the poll's own five minutes, 360 rounds at most: a history of some 3,000 events. */
const PAUSE_BETWEEN_POLLS_MS = 60_000

/**
 * Waits until ingest has acknowledged every record that stood in the topic after the day's end. The targets are observed
 * once and kept: a moving log end would be chased for ever under load.
 *
 * @throws ApplicationFailure `ingest_behind` after six hours, not retried.
 */
export async function waitForIngest(day: string, track: Tracker): Promise<IngestTargets> {
  const targets = await quick.observeIngestTargets.executeWithOptions(
    { summary: `Log-end offsets after ${day}` },
    [{ day }],
  )
  const startedAt = Date.now()
  let escalated = false
  for (;;) {
    const { behind } = await polling.awaitIngest.executeWithOptions(
      { summary: 'Has ingest passed the end of the day?' },
      [{ targets }],
    )
    if (behind === 0) return targets
    const waitedMs = Date.now() - startedAt
    if (waitedMs >= GIVE_UP_AFTER_MS) {
      throw ApplicationFailure.nonRetryable(
        `ingest is still ${behind} records short of ${day}`,
        'ingest_behind',
      )
    }
    if (!escalated && waitedMs >= ESCALATE_AFTER_MS) {
      escalated = true
      const message = `Ingest is ${behind} records short of the end of ${day}; the daily ETL waits.`
      await quick.raiseAlert.executeWithOptions({ summary: 'Escalate: ingest is behind' }, [
        { kind: 'ingest_behind', day, message, drifted: [] },
      ])
      track.say('waiting for ingest, escalated')
    }
    await sleep(PAUSE_BETWEEN_POLLS_MS, { summary: `ingest is ${behind} records behind` })
  }
}
