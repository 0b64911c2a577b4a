import type { ClickHouseClient } from './client.ts'
import { checkDay, type DailyMetric, type Day, METRIC_SETTINGS, type MetricSource } from './daily-metric.ts'

const SOURCES: Record<MetricSource, string> = {
  batch: `SELECT app, day, event, currency, events, users, sessions, revenue FROM metrics_batch_daily`,
  stream: `SELECT app, day, event, currency, sum(events) AS events, uniqMerge(users) AS users,
             uniqIfMerge(sessions) AS sessions, sum(revenue) AS revenue FROM metrics_streaming_daily`,
}

/**
 * Daily metrics of a range of days, both ends included, ordered by day, app, event, currency; from batch unless told.
 * Not k-guarded: for operators' reports, which must hide groups below k before they leave the house.
 * @throws EbbError `bad_day`
 */
export async function readDailyMetrics(
  client: ClickHouseClient,
  range: { from: Day; to: Day; source?: MetricSource; app?: string },
): Promise<DailyMetric[]> {
  const source = range.source ?? 'batch'
  const result = await client.query({
    query: `${SOURCES[source]}
            WHERE day BETWEEN {from:Date} AND {to:Date} AND ({app:String} = '' OR app = {app:String})
            ${source === 'stream' ? 'GROUP BY app, day, event, currency' : ''}
            ORDER BY day, app, event, currency`,
    query_params: { from: checkDay(range.from), to: checkDay(range.to), app: range.app ?? '' },
    format: 'JSONEachRow',
    clickhouse_settings: METRIC_SETTINGS,
  })
  return result.json()
}
