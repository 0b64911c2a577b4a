import {
  executeChild,
  patched,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow'
import type { CompareResult, DailyEtlInput, DailyEtlResult } from '../schemas/etl.ts'
import { WORKFLOW_DETAILS } from '../schemas/workflow-details.ts'
import { businessReport } from './business-report.ts'
import { confirmDrift } from './confirm-drift.ts'
import { heavy, quick } from './etl-activities.ts'
import { dayOrYesterday } from './period.ts'
import { recountDay } from './recount-day.ts'
import { driftAttribute, rowsAttribute, type Tracker, trackProgress } from './track-progress.ts'
import { waitForIngest } from './wait-for-ingest.ts'

/**
 * Counts one day again from raw, serves the result, and checks the live views against it. May be run any number of
 * times for a day: the same raw rows give the same served rows, and late events are picked up.
 */
export async function dailyEtl(input: DailyEtlInput = {}): Promise<DailyEtlResult> {
  const day = dayOrYesterday(input.day)
  const track = trackProgress('Daily ETL', day)

  // 1. Ingest has passed the end of the day, in every partition.
  await track.step(
    'waiting for ingest',
    () => waitForIngest(day, track),
    (targets) => `passed in ${targets.offsets.length} partitions`,
  )

  // 2. Aggregate from raw, 3. swap the day's partition, 4. compare with streaming. What differs is looked at twice.
  let checked = await recountDay(day, track)
  if (checked.compared.driftedCount > 0) {
    track.say('confirming drift')
    await sleep('5s', { summary: 'late events, or drift? look again' })
    const again = await recountDay(day, track)
    checked = { ...again, compared: confirmDrift(checked.compared, again.compared) }
  }
  // What erasures changed of past days is shown with this swap, together. Runs that began before this step do without it.
  if (patched('republish-dirty-days'))
    await track.part(
      'publishing the days that erasures touched',
      () =>
        heavy.republishDirtyDays.executeWithOptions(
          { summary: 'Publish the days that erasures touched' },
          [],
        ),
      ({ days }) => `${days} days`,
    )
  const { equal, driftedCount, drifted } = checked.compared
  upsertSearchAttributes([
    { key: driftAttribute, value: driftedCount > 0 },
    { key: rowsAttribute, value: checked.counted.rows },
  ])
  upsertMemo({ rows: checked.counted.rows, events: checked.counted.events, driftedRows: driftedCount })

  // 5. Report. 6. Alert on drift, also when the report could not be written.
  let reportPath: string
  try {
    reportPath = await track.step(
      'writing the report',
      () => report(day),
      (path) => path,
    )
  } finally {
    if (driftedCount > 0) await alertDrift(day, checked.compared, track)
  }
  track.say(
    driftedCount > 0
      ? `done, drift in ${driftedCount === 1 ? '1 row' : `${driftedCount} rows`}`
      : 'done, batch equals stream',
  )
  const { rows, events } = checked.counted
  return { day, rows, events, equal, drifted, driftedCount, published: checked.published, reportPath }
}

async function report(day: string): Promise<string> {
  const written = await executeChild(businessReport, {
    // Its own id and not one by day: a report that a person asked for at the same moment must not fail this run.
    workflowId: `${workflowInfo().workflowId}/report`,
    args: [{ period: day }],
    staticSummary: `Business report ${day}`,
    staticDetails: WORKFLOW_DETAILS.businessReport,
  })
  return written.path
}

async function alertDrift(day: string, compared: CompareResult, track: Tracker): Promise<void> {
  const rows = compared.driftedCount === 1 ? 'row' : 'rows'
  const message = `Batch and streaming metrics of ${day} differ in ${compared.driftedCount} ${rows}.`
  await track.step(
    'alerting on drift',
    () =>
      quick.raiseAlert.executeWithOptions({ summary: message }, [
        { kind: 'drift', day, message, drifted: compared.drifted },
      ]),
    () => message,
  )
}
