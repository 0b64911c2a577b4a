import { EbbError } from '../runtime/errors.ts'
import type { ClickHouseClient } from './client.ts'
import { checkDay, type Day } from './daily-metric.ts'
import { DAY_MARTS } from './day-marts.ts'
import { publishDays } from './publish-days.ts'
import { publishMonth } from './publish-month.ts'

/**
 * Puts the staged day in the place of the day's partition (`REPLACE PARTITION`, in one step a table), then shows it to analysts
 * in all views at once and writes its month. Doing it twice changes nothing, which is why staging is left as it is: emptied,
 * a repeat would publish an empty day. The parts are hard links of one another and cost no disk.
 * @throws EbbError `staging_dirty` when staging holds a key twice (two runs of one day met): aggregate again; `bad_day`.
 */
export async function swapDay(client: ClickHouseClient, day: Day): Promise<void> {
  checkDay(day)
  const result = await client.query({
    query: `SELECT count() - uniqExact(app, event, currency) AS doubled FROM metrics_batch_staging WHERE day = {day:Date}`,
    query_params: { day },
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ doubled: number | string }>()
  if (Number(row?.doubled) !== 0) throw new EbbError('staging_dirty', `staging of ${day} was filled twice`)
  for (const mart of DAY_MARTS) {
    // ClickHouse refuses to replace a partition by none: a day without such events is dropped in so many words.
    const change = (await hasRows(client, mart.staging, day))
      ? `REPLACE PARTITION '${day}' FROM ${mart.staging}`
      : `DROP PARTITION '${day}'`
    await client.command({ query: `ALTER TABLE ${mart.table} ${change}` })
  }
  await publishDays(client, { from: day, to: day })
  await publishMonth(client, day)
}

async function hasRows(client: ClickHouseClient, table: string, day: Day): Promise<boolean> {
  const result = await client.query({
    query: `SELECT 1 FROM ${table} WHERE day = {day:Date} LIMIT 1`,
    query_params: { day },
    format: 'JSONEachRow',
  })
  return (await result.json()).length > 0
}
