import { proxyActivities } from '@temporalio/workflow'
import type { ArchiveActivities, ArchiveDayInput, ArchiveDayResult } from '../schemas/archive.ts'
import { dayOrYesterday } from './period.ts'
import { trackProgress } from './track-progress.ts'

/**
 * A scan of the day and its files: half an hour is an upper bound, the beat runs beside it. An erasure under way is waited
 * out for most of a day (`archive_busy`), as an outage is.
 */
const archive = proxyActivities<ArchiveActivities>({
  startToCloseTimeout: '30m',
  heartbeatTimeout: '1m',
  scheduleToCloseTimeout: '18h',
  retry: { initialInterval: '5s', backoffCoefficient: 2, maximumInterval: '5m' },
})

/** Writes one day of events into the archive; a day may be archived again at any time, late events are picked up. */
export async function archiveDay(input: ArchiveDayInput = {}): Promise<ArchiveDayResult> {
  const day = dayOrYesterday(input.day)
  const track = trackProgress('Archive', day)
  const result = await track.step(
    'writing the files',
    () => archive.archiveDay.executeWithOptions({ summary: `Archive ${day} as Parquet` }, [{ day }]),
    ({ rows, files }) => `${rows} events in ${files} files`,
  )
  track.say('done')
  return result
}
