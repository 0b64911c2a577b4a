import type { ClickHouseClient } from './client.ts'
import type { Day } from './daily-metric.ts'

export interface DayAggregate {
  /** Rows now in staging for the day (app, event, currency). */
  rows: number
  events: number
  apps: number
}

/**
 * Recounts one UTC day from `events_raw` into the staging tables, replacing what an earlier try left there.
 * Idempotent; nothing that a reader sees changes before `swapDay`. Cost: one scan of the day's rows in its month.
 */
export async function aggregateDay(_client: ClickHouseClient, _day: Day): Promise<DayAggregate> {
  throw new Error('not there yet')
}
