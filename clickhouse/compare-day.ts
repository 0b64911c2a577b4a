import type { ClickHouseClient } from './client.ts'
import { checkDay, type DailyMetric, type Day, METRIC_SETTINGS } from './daily-metric.ts'

type Figures = Pick<DailyMetric, 'events' | 'users' | 'sessions' | 'revenue'>

export interface DayDifference {
  app: string
  event: string
  currency: string
  /** null where that side has no such row. */
  batch: Figures | null
  stream: Figures | null
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

const JOINED = `
  (SELECT app, event, currency, events, users, sessions, revenue, 1 AS there
   FROM metrics_batch_daily WHERE day = {day:Date}) AS b
  FULL OUTER JOIN
  (SELECT app, event, currency, sum(events) AS events, uniqMerge(users) AS users, uniqIfMerge(sessions) AS sessions,
     sum(revenue) AS revenue, 1 AS there
   FROM metrics_streaming_daily WHERE day = {day:Date} GROUP BY app, event, currency) AS s
  USING (app, event, currency)`

const DIFFERS = `(b.there, b.events, b.users, b.sessions, b.revenue) != (s.there, s.events, s.users, s.sessions, s.revenue)`

/**
 * Compares `metrics_batch_daily` with `metrics_streaming_daily` for one day, row by row (full outer join).
 * `uniq` is deterministic, so users and sessions are compared for equality, not for nearness.
 * @throws EbbError `bad_day`
 */
export async function compareDay(client: ClickHouseClient, day: Day, limit = 20): Promise<DayComparison> {
  checkDay(day)
  const ask = async <T>(query: string) =>
    (
      await client.query({
        query,
        query_params: { day, limit },
        format: 'JSONEachRow',
        clickhouse_settings: METRIC_SETTINGS,
      })
    ).json<T>()
  const [sums] = await ask<Omit<DayComparison, 'differences'>>(
    `SELECT sum(b.there) AS batchRows, sum(s.there) AS streamRows, sum(b.events) AS batchEvents,
       sum(s.events) AS streamEvents, countIf(${DIFFERS}) AS differingRows FROM ${JOINED}`,
  )
  const rows = await ask<FlatDifference>(
    `SELECT app, event, currency, b.there AS inBatch, s.there AS inStream,
       b.events AS batchEvents, b.users AS batchUsers, b.sessions AS batchSessions, b.revenue AS batchRevenue,
       s.events AS streamEvents, s.users AS streamUsers, s.sessions AS streamSessions, s.revenue AS streamRevenue
     FROM ${JOINED} WHERE ${DIFFERS}
     ORDER BY abs(toInt64(b.events) - toInt64(s.events)) DESC, app, event, currency LIMIT {limit:UInt32}`,
  )
  const none = { batchRows: 0, streamRows: 0, batchEvents: 0, streamEvents: 0, differingRows: 0 }
  return { ...(sums ?? none), differences: rows.map(toDifference) }
}

interface FlatDifference {
  app: string
  event: string
  currency: string
  inBatch: number
  inStream: number
  batchEvents: number
  batchUsers: number
  batchSessions: number
  batchRevenue: string
  streamEvents: number
  streamUsers: number
  streamSessions: number
  streamRevenue: string
}

function toDifference(row: FlatDifference): DayDifference {
  const batch = {
    events: row.batchEvents,
    users: row.batchUsers,
    sessions: row.batchSessions,
    revenue: row.batchRevenue,
  }
  const stream = {
    events: row.streamEvents,
    users: row.streamUsers,
    sessions: row.streamSessions,
    revenue: row.streamRevenue,
  }
  return {
    app: row.app,
    event: row.event,
    currency: row.currency,
    batch: row.inBatch === 1 ? batch : null,
    stream: row.inStream === 1 ? stream : null,
  }
}
