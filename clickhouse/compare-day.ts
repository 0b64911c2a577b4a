import type { ClickHouseClient } from './client.ts'
import type { DailyMetric, Day } from './daily-metric.ts'

export interface DayDifference {
  app: string
  event: string
  currency: string
  /** null where that side has no such row. */
  batch: Pick<DailyMetric, 'events' | 'users' | 'sessions' | 'revenue'> | null
  stream: Pick<DailyMetric, 'events' | 'users' | 'sessions' | 'revenue'> | null
}

export interface DayComparison {
  batchRows: number
  streamRows: number
  batchEvents: number
  streamEvents: number
  /** All rows that differ in any figure; equal days give 0. */
  differingRows: number
  /** The first `limit` of them, largest difference of events first. */
  differences: DayDifference[]
}

/** Compares `metrics_batch_daily` with `metrics_streaming_daily` for one day, row by row (full outer join). */
export async function compareDay(_client: ClickHouseClient, _day: Day, _limit = 20): Promise<DayComparison> {
  throw new Error('not there yet')
}
