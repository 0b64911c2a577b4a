import type { ClickHouseClient } from './client.ts'
import { checkDay, type Day, METRIC_SETTINGS } from './daily-metric.ts'
import { DAY_MARTS } from './day-marts.ts'

export interface DayAggregate {
  /** Rows now in staging for the day (app, event, currency). */
  rows: number
  events: number
  apps: number
}

/**
 * Recounts one UTC day from `events_raw` into the staging tables, replacing what an earlier try left there.
 * Idempotent; nothing that a reader sees changes before `swapDay`. One run of a day at a time: two would meet in staging,
 * which `swapDay` notices. Cost: four scans of the day's range of the sort key.
 * @throws EbbError `bad_day`
 */
export async function aggregateDay(client: ClickHouseClient, day: Day): Promise<DayAggregate> {
  checkDay(day)
  for (const mart of DAY_MARTS) {
    await client.command({ query: `ALTER TABLE ${mart.staging} DROP PARTITION '${day}'` })
    await client.command({
      query: `INSERT INTO ${mart.staging} ${mart.select}`,
      query_params: { from: day, to: day },
      // A Replicated table would take the second try of an unchanged day for a repeat of the first, whose rows are dropped.
      clickhouse_settings: { async_insert: 0, insert_deduplicate: 0, deduplicate_insert: 'disable' },
    })
  }
  const result = await client.query({
    query: `SELECT count() AS rows, sum(events) AS events, uniqExact(app) AS apps
            FROM metrics_batch_staging WHERE day = {day:Date}`,
    query_params: { day },
    format: 'JSONEachRow',
    clickhouse_settings: METRIC_SETTINGS,
  })
  const [row] = await result.json<DayAggregate>()
  return row ?? { rows: 0, events: 0, apps: 0 }
}
