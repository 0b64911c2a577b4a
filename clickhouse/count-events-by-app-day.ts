import type { ClickHouseClient } from './client.ts'
import { checkDay, type Day, METRIC_SETTINGS } from './daily-metric.ts'

/**
 * Rows of `events_raw` by app and day, both ends included. Reads the days' ranges of the sort key: for checks, not for
 * dashboards. @throws EbbError `bad_day`
 */
export async function countEventsByAppDay(
  client: ClickHouseClient,
  range: { from: Day; to: Day },
): Promise<{ app: string; day: Day; events: number }[]> {
  const result = await client.query({
    query: `SELECT app, toDate(ts) AS day, count() AS events FROM events_raw
            WHERE toDate(ts) BETWEEN {from:Date} AND {to:Date}
              AND ts >= toDateTime64({from:Date}, 3, 'UTC') AND ts < toDateTime64({to:Date} + 1, 3, 'UTC')
            GROUP BY app, day ORDER BY day, app`,
    query_params: { from: checkDay(range.from), to: checkDay(range.to) },
    format: 'JSONEachRow',
    clickhouse_settings: METRIC_SETTINGS,
  })
  return result.json()
}
