import type { ClickHouseClient } from './client.ts'

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

/** Monthly figures out of `metrics_batch_daily`, both months included (`YYYY-MM`), ordered by month, app, event. Not k-guarded. */
export async function readTrends(
  _client: ClickHouseClient,
  _range: { from: string; to: string; app?: string },
): Promise<MonthlyTrend[]> {
  throw new Error('not there yet')
}
