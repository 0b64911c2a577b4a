import type { ClickHouseClient } from './client.ts'
import type { Day } from './daily-metric.ts'

/** Rows of `events_raw` by app and day, both ends included. Scans the days' rows: for checks, not for dashboards. */
export async function countEventsByAppDay(
  _client: ClickHouseClient,
  _range: { from: Day; to: Day },
): Promise<{ app: string; day: Day; events: number }[]> {
  throw new Error('not there yet')
}
