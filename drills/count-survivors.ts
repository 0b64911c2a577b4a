import type { ClickHouseClient } from '../clickhouse/client.ts'
import { EVENTS_PER_BATCH, productOf } from './drill-client.ts'

export interface Survivors {
  stored: number
  /** Acknowledged events without a row. */
  lost: number
  /** Rows beyond one for an event, acknowledged or not. */
  duplicated: number
}

/** Looks for every acknowledged event by its product id, and for events that have more than one row. */
export async function countSurvivors(client: ClickHouseClient, acked: Set<number>): Promise<Survivors> {
  const result = await client.query({
    query: "SELECT product, count() FROM events_raw WHERE app = 'drill' GROUP BY product",
    format: 'JSONCompactEachRow',
  })
  const counts = new Map<string, number>()
  for await (const rows of result.stream()) {
    for (const row of rows) {
      const [product, count] = row.json() as [string, string]
      counts.set(product, Number(count))
    }
  }
  let stored = 0
  let duplicated = 0
  for (const count of counts.values()) {
    stored += count
    duplicated += count - 1
  }
  let lost = 0
  for (const batch of acked) {
    for (let index = 0; index < EVENTS_PER_BATCH; index++) if (!counts.has(productOf(batch, index))) lost++
  }
  return { stored, lost, duplicated }
}

/** Minutes are kept for eight days. */
const WEEK_AGO = 'now() - INTERVAL 7 DAY'

/** Each view's target beside a recount of the same from raw; the two must be the same rows. */
const COMPARISONS: Record<string, { view: string; raw: string }> = {
  metrics_minute: {
    view: `SELECT app, minute, event, currency, sum(events) AS n, uniqMerge(users) AS u, uniqIfMerge(sessions) AS s, sum(revenue) AS r
           FROM metrics_minute WHERE minute > ${WEEK_AGO} GROUP BY app, minute, event, currency`,
    raw: `SELECT app, toStartOfMinute(ts) AS minute, event, currency, count() AS n, uniq(subject) AS u, uniqIf(session, session != 0) AS s,
           sum(toDecimal128(revenue, 4)) AS r FROM events_raw WHERE toStartOfMinute(ts) > ${WEEK_AGO}
           GROUP BY app, minute, event, currency`,
  },
  metrics_streaming_daily: {
    view: `SELECT app, day, event, currency, sum(events) AS n, uniqMerge(users) AS u, uniqIfMerge(sessions) AS s, sum(revenue) AS r
           FROM metrics_streaming_daily GROUP BY app, day, event, currency`,
    raw: `SELECT app, toDate(ts) AS day, event, currency, count() AS n, uniq(subject) AS u, uniqIf(session, session != 0) AS s,
           sum(toDecimal128(revenue, 4)) AS r FROM events_raw GROUP BY app, day, event, currency`,
  },
  sessions: {
    view: `SELECT app, day, subject, session, min(started) AS a, max(ended) AS z, sum(events) AS n, sum(pages) AS p, sum(revenue) AS r
           FROM sessions GROUP BY app, day, subject, session`,
    raw: `SELECT app, toDate(ts) AS day, subject, session, min(ts) AS a, max(ts) AS z, count() AS n,
           countIf(event IN ('page_view', 'screen')) AS p, sum(toDecimal128(revenue, 4)) AS r
           FROM events_raw WHERE session != 0 GROUP BY app, day, subject, session`,
  },
  click_patterns: {
    view: `SELECT app, day, path, element, sum(clicks) AS n, uniqMerge(users) AS u FROM click_patterns GROUP BY app, day, path, element`,
    raw: `SELECT app, toDate(ts) AS day, path, element, count() AS n, uniq(subject) AS u
          FROM events_raw WHERE event = 'button_click' GROUP BY app, day, path, element`,
  },
}

/** @returns the views that differ from a recount, with how many rows do; empty when all are equal. */
export async function findUnequalViews(client: ClickHouseClient): Promise<Record<string, number>> {
  const unequal: Record<string, number> = {}
  for (const [name, { view, raw }] of Object.entries(COMPARISONS)) {
    const result = await client.query({
      query: `SELECT count() FROM ((${view} EXCEPT ${raw}) UNION ALL (${raw} EXCEPT ${view}))`,
      format: 'JSONCompactEachRow',
    })
    const [[differing]] = (await result.json()) as [[string]]
    if (Number(differing) > 0) unequal[name] = Number(differing)
  }
  return unequal
}
