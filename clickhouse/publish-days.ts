import type { ClickHouseClient } from './client.ts'
import { checkDay, type Day } from './daily-metric.ts'
import { DAY_MARTS, K_PEOPLE } from './day-marts.ts'

/**
 * Shows analysts the recounted days of a range, in all views at once: rows of K people or more are copied under a new
 * version, and the last insert makes that version the days' newest. Cut short before it, nothing has changed. When two runs
 * meet, the one that took its version later has seen the other's swap, and its rows count. Rows of older versions are then
 * deleted: they are a day's figures from before an erasure.
 *
 * A day that is not over (UTC, by the server's clock) is left out: published, it would stand still in the views until its end.
 * @returns whether the last day of the range was published. @throws EbbError `bad_day`
 */
export async function publishDays(client: ClickHouseClient, range: { from: Day; to: Day }): Promise<boolean> {
  checkDay(range.to)
  const { version, yesterday } = await askClock(client)
  const isOver = range.to <= yesterday
  const days = { from: checkDay(range.from), to: isOver ? range.to : yesterday }
  if (days.to < days.from) return false
  const run = (query: string) =>
    client.command({
      query,
      query_params: { ...days, version },
      clickhouse_settings: { async_insert: 0, insert_deduplicate: 0, deduplicate_insert: 'disable' },
    })
  for (const { table, shown } of DAY_MARTS) {
    await run(
      `INSERT INTO ${shown.table} (${shown.columns}, version)
       SELECT ${shown.columns}, toDateTime64({version:String}, 9, 'UTC') FROM ${table}
       WHERE day BETWEEN {from:Date} AND {to:Date} AND users >= ${K_PEOPLE}`,
    )
  }
  await run(
    `INSERT INTO published_days SELECT {from:Date} + number, toDateTime64({version:String}, 9, 'UTC')
     FROM numbers(toUInt64({to:Date} - {from:Date} + 1))`,
  )
  for (const { shown } of DAY_MARTS) {
    const older = `day BETWEEN {from:Date} AND {to:Date} AND version < toDateTime64({version:String}, 9, 'UTC')`
    const found = await client.query({
      query: `SELECT 1 FROM ${shown.table} WHERE ${older} LIMIT 1`,
      query_params: { ...days, version },
      format: 'JSONEachRow',
    })
    // A mutation rewrites the month's part: only for days that were published before.
    if ((await found.json()).length > 0) await run(`ALTER TABLE ${shown.table} DELETE WHERE ${older}`)
  }
  return isOver
}

async function askClock(client: ClickHouseClient): Promise<{ version: string; yesterday: Day }> {
  const result = await client.query({
    query: `SELECT toString(now64(9, 'UTC')) AS version, toDate(now('UTC')) - 1 AS yesterday`,
    format: 'JSONEachRow',
  })
  const [now] = await result.json<{ version: string; yesterday: Day }>()
  return now ?? { version: '', yesterday: '' }
}
