import { EbbError } from '../runtime/errors.ts'
import type { ClickHouseClient } from './client.ts'
import { METRIC_SETTINGS } from './daily-metric.ts'

/** One month of one app and event. Users and sessions are distinct over the month, not sums of days. */
export interface MonthlyTrend {
  app: string
  /** `YYYY-MM` (UTC). */
  month: string
  event: string
  currency: string
  events: number
  users: number
  sessions: number
  revenue: string
  /** Days of the month that have batch metrics. */
  days: number
}

/**
 * Monthly figures out of `metrics_batch_daily`, both months included (`YYYY-MM`), ordered by month, app, event. Not k-guarded.
 * @throws EbbError `bad_month`
 */
export async function readTrends(
  client: ClickHouseClient,
  range: { from: string; to: string; app?: string },
): Promise<MonthlyTrend[]> {
  for (const month of [range.from, range.to]) {
    if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(month)) throw new EbbError('bad_month', 'a month is YYYY-MM')
  }
  const result = await client.query({
    query: `SELECT app, formatDateTime(day, '%Y-%m') AS month, event, currency, sum(m.events) AS events,
              uniqMerge(users_state) AS users, uniqIfMerge(sessions_state) AS sessions, sum(m.revenue) AS revenue,
              uniqExact(day) AS days
            FROM metrics_batch_daily AS m
            WHERE day >= toDate({from:String}) AND day < addMonths(toDate({to:String}), 1)
              AND ({app:String} = '' OR app = {app:String})
            GROUP BY app, month, event, currency ORDER BY month, app, event, currency`,
    query_params: { from: `${range.from}-01`, to: `${range.to}-01`, app: range.app ?? '' },
    format: 'JSONEachRow',
    clickhouse_settings: METRIC_SETTINGS,
  })
  return result.json()
}
