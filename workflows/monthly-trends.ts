import type { ReportInput, ReportResult } from '../schemas/etl.ts'
import { heavy } from './etl-activities.ts'
import { monthOrLast } from './period.ts'
import { trackProgress } from './track-progress.ts'

/** Writes the trends of one month against the months before it, from the served batch metrics. */
export async function monthlyTrends(input: ReportInput = {}): Promise<ReportResult> {
  const month = monthOrLast(input.period)
  const track = trackProgress('Monthly trends', month)

  const report = await track.step(
    'writing the trends',
    () => heavy.writeMonthlyTrends.executeWithOptions({ summary: `Trends of ${month}` }, [{ month }]),
    (written) => written.path,
  )
  track.say('done')
  return report
}
