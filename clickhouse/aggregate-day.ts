import { EbbError } from '../runtime/errors.ts'
import type { StagedDay } from '../schemas/etl.ts'
import type { ClickHouseClient } from './client.ts'
import { checkDay, type Day, METRIC_SETTINGS } from './daily-metric.ts'
import { DAY_MARTS, OF_DAYS } from './day-marts.ts'
import { readDayContents } from './read-day-contents.ts'

export interface DayAggregate {
  /** Rows now in staging for the day (app, event, currency). */
  rows: number
  events: number
  apps: number
  /** What staging holds, for `swapDay`, which serves exactly this. */
  staged: StagedDay
}

/**
 * Recounts one UTC day from `events_raw` into the staging tables, replacing what an earlier try left there.
 * Idempotent; nothing that a reader sees changes before `swapDay`. Cost: five scans of the day's range of the sort key.
 *
 * One run of a day at a time: an attempt that was given up but still runs may empty or fill staging beside this one. So what
 * staging holds at the end must speak of all events that were there at the start, and of none twice.
 * @throws EbbError `staging_busy` when it does not: try again; `bad_day`
 */
export async function aggregateDay(client: ClickHouseClient, day: Day): Promise<DayAggregate> {
  checkDay(day)
  const raw = await countRaw(client, day)
  for (const mart of DAY_MARTS) {
    await client.command({ query: `ALTER TABLE ${mart.staging} DROP PARTITION '${day}'` })
    await client.command({
      query: `INSERT INTO ${mart.staging} ${mart.select}`,
      query_params: { from: day, to: day },
      // A Replicated table would take the second try of an unchanged day for a repeat of the first, whose rows are dropped.
      clickhouse_settings: { async_insert: 0, insert_deduplicate: 0, deduplicate_insert: 'disable' },
    })
  }
  const staged: StagedDay = {}
  for (const mart of DAY_MARTS) {
    const { rows, checksum, doubled, counted } = await readDayContents(client, mart, mart.staging, day)
    if (doubled !== 0 || counted < (raw[mart.table] ?? 0)) {
      throw new EbbError('staging_busy', `another count of ${day} is under way`)
    }
    staged[mart.table] = { rows, checksum }
  }
  const result = await client.query({
    query: `SELECT count() AS rows, sum(events) AS events, uniqExact(app) AS apps
            FROM metrics_batch_staging WHERE day = {day:Date}`,
    query_params: { day },
    format: 'JSONEachRow',
    clickhouse_settings: METRIC_SETTINGS,
  })
  const [row] = await result.json<Omit<DayAggregate, 'staged'>>()
  return { rows: 0, events: 0, apps: 0, ...row, staged }
}

/** Each mart's count of the day's raw events. */
async function countRaw(client: ClickHouseClient, day: Day): Promise<Record<string, number>> {
  const result = await client.query({
    query: `SELECT ${DAY_MARTS.map(({ table, count }) => `${count.raw} AS ${table}`).join(', ')}
            FROM events_raw WHERE ${OF_DAYS}`,
    query_params: { from: day, to: day },
    format: 'JSONEachRow',
    clickhouse_settings: METRIC_SETTINGS,
  })
  const [row] = await result.json<Record<string, number>>()
  return row ?? {}
}
