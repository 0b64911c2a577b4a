import type { ReportInput, ReportResult } from '../schemas/etl.ts'
import { heavy } from './etl-activities.ts'
import { dayOrYesterday } from './period.ts'
import { trackProgress } from './track-progress.ts'

/** Writes the report of one day from the served batch metrics: Markdown, a chart, and the text for a terminal. */
export async function businessReport(input: ReportInput = {}): Promise<ReportResult> {
  const day = dayOrYesterday(input.period)
  const track = trackProgress('Business report', day)

  // One activity reads and writes: a report's figures would only bloat the history on their way through it.
  const report = await track.step(
    'writing the report',
    () => heavy.writeBusinessReport.executeWithOptions({ summary: `Report of ${day}` }, [{ day }]),
    (written) => written.path,
  )
  track.say('done')
  return report
}
