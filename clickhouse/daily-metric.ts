/** A UTC day, `YYYY-MM-DD`. */
export type Day = string

/** One row of `metrics_streaming_daily` or `metrics_batch_daily`: keyed by app, day, event and currency. */
export interface DailyMetric {
  app: string
  day: Day
  event: string
  /** ISO 4217, '' for events without money: sums of two currencies would mean nothing. */
  currency: string
  events: number
  users: number
  sessions: number
  /** Decimal text with four places, e.g. `12.3400`. */
  revenue: string
}

export type MetricSource = 'batch' | 'stream'
