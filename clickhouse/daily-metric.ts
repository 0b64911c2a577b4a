import { EbbError } from '../runtime/errors.ts'

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

/** Settings of a query whose JSON keeps counts as numbers and money as text: a double would round it. */
export const METRIC_SETTINGS = {
  output_format_json_quote_64bit_integers: 0,
  output_format_json_quote_decimals: 1,
  output_format_decimal_trailing_zeros: 1,
} as const

/** @throws EbbError `bad_day` unless the text is a day of the calendar; it is then safe inside a PARTITION clause. */
export function checkDay(day: Day): Day {
  const parsed = new Date(`${day}T00:00:00Z`)
  const valid = /^\d{4}-\d{2}-\d{2}$/.test(day) && !Number.isNaN(parsed.getTime())
  if (!valid || parsed.toISOString().slice(0, 10) !== day)
    throw new EbbError('bad_day', 'a day is YYYY-MM-DD, in UTC')
  return day
}
