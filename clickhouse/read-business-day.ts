import type { ClickHouseClient } from './client.ts'
import { type Day, METRIC_SETTINGS } from './daily-metric.ts'

/**
 * What a day's report shows beside the daily metrics. People are distinct subjects of the app, counted by uniq as
 * everywhere: the same people give the same figure here and on a dashboard. Events of an app that fewer than `minPeople`
 * people made are in none of the figures, so that no total gives them away; lists below that are the caller's to guard.
 */
export interface BusinessDay {
  /** Rows of app and event that are left out, and the events in them. */
  leftOut: { rows: number; events: number }
  apps: { app: string; events: number; users: number; sessions: number }[]
  events: { app: string; event: string; events: number; users: number; sessions: number }[]
  /** The seven days before, of those that the batch has. */
  days: { day: Day; events: number; users: number; sessions: number }[]
  /** Money of purchases, by currency; decimal text. */
  revenue: { app: string; currency: string; revenue: string; purchases: number; users: number }[]
  /** UTC hours that have events. */
  hours: { hour: number; events: number; users: number }[]
  /** People who viewed; of these, who then added to a cart; of these, who then purchased. */
  funnel: { app: string; viewed: number; added: number; purchased: number }[]
  pages: { app: string; path: string; events: number; users: number }[]
  /** `revenue` by currency, decimal text. `users` had it in a cart (`carters`) or purchased it (`buyers`). */
  products: {
    app: string
    product: string
    carts: number
    purchases: number
    revenue: Record<string, string>
    users: number
    carters: number
    buyers: number
  }[]
  buttons: { app: string; element: string; clicks: number; users: number }[]
}

/** Most rows of each top list; those with few people are taken out by the caller, so a few more than are shown. */
const TOP = 30

/**
 * Half-open bounds on `ts` and no function of it: partitions and the sort key can only be used on the bare column.
 */
const OF_DAY = `ts >= toDateTime64({day:String}, 3, 'UTC') AND ts < toDateTime64({day:String}, 3, 'UTC') + INTERVAL 1 DAY
  AND received_at <= fromUnixTimestamp64Milli({cut:Int64}, 'UTC')`

const SHOWN = `${OF_DAY} AND has({kept:Array(String)}, concat(app, ' ', event))`

/** Late events come in while the report is read; all queries stop at the same receipt, so that their sums agree. */
const CUT = `
  SELECT toInt64(toUnixTimestamp64Milli(max(received_at))) AS cut FROM events_raw
  WHERE ts >= toDateTime64({day:String}, 3, 'UTC') AND ts < toDateTime64({day:String}, 3, 'UTC') + INTERVAL 1 DAY`

// Out of the states that the batch keeps: a few rows a day instead of a week of raw. A subject is one app's own.
const DAYS = `
  SELECT toString(m.day) AS day, sum(m.events) AS events, uniqMerge(users_state) AS users,
    uniqIfMerge(sessions_state) AS sessions
  FROM metrics_batch_daily AS m
  WHERE m.users >= {minPeople:UInt32} AND m.day >= toDate({day:String}) - 7 AND m.day < toDate({day:String})
  GROUP BY day ORDER BY day`

const EVENTS = `
  SELECT app, event, count() AS events, uniq(subject) AS users,
    uniqIf(session, session != 0) AS sessions
  FROM events_raw WHERE ${OF_DAY} GROUP BY app, event ORDER BY app, events DESC, event`

const APPS = `
  SELECT app, count() AS events, uniq(subject) AS users, uniqIf(session, session != 0) AS sessions
  FROM events_raw WHERE ${SHOWN} GROUP BY app ORDER BY events DESC, app`

const REVENUE = `
  SELECT app, currency, sum(revenue) AS revenue, count() AS purchases, uniq(subject) AS users
  FROM events_raw WHERE ${SHOWN} AND event = 'purchase' AND currency != ''
  GROUP BY app, currency ORDER BY app, currency`

const HOURS = `
  SELECT toHour(ts, 'UTC') AS hour, count() AS events, uniq(subject) AS users
  FROM events_raw WHERE ${SHOWN} GROUP BY hour ORDER BY hour`

// In order and within the day: windowFunnel's window is the whole day in milliseconds.
const FUNNEL = `
  SELECT app, countIf(step >= 1) AS viewed, countIf(step >= 2) AS added, countIf(step >= 3) AS purchased
  FROM (
    SELECT app, subject, windowFunnel(86400000)(
      toUInt64(toUnixTimestamp64Milli(ts)), event = 'page_view', event = 'add_to_cart', event = 'purchase') AS step
    FROM events_raw WHERE ${SHOWN} AND event IN ('page_view', 'add_to_cart', 'purchase')
    GROUP BY app, subject
  ) GROUP BY app ORDER BY app`

const PAGES = `
  SELECT app, path, count() AS events, uniq(subject) AS users
  FROM events_raw WHERE ${SHOWN} AND event IN ('page_view', 'screen') AND path != ''
  GROUP BY app, path ORDER BY events DESC, app, path LIMIT ${TOP}`

const PRODUCTS = `
  SELECT app, product, countIf(event = 'add_to_cart') AS carts, countIf(event = 'purchase') AS purchases,
    sumMapIf(map(toString(currency), revenue), event = 'purchase' AND currency != '') AS revenue,
    uniq(subject) AS users, uniqIf(subject, event = 'add_to_cart') AS carters, uniqIf(subject, event = 'purchase') AS buyers
  FROM events_raw WHERE ${SHOWN} AND event IN ('add_to_cart', 'purchase') AND product != ''
  GROUP BY app, product ORDER BY purchases DESC, carts DESC, app, product LIMIT ${TOP}`

const BUTTONS = `
  SELECT app, element, count() AS clicks, uniq(subject) AS users
  FROM events_raw WHERE ${SHOWN} AND event = 'button_click' AND element != ''
  GROUP BY app, element ORDER BY clicks DESC, app, element LIMIT ${TOP}`

/** Reads one UTC day of `events_raw`: nine scans of the day's rows, for one report a day and not for dashboards. */
export async function readBusinessDay(
  client: ClickHouseClient,
  day: Day,
  minPeople: number,
): Promise<BusinessDay> {
  const ask = async <T>(query: string, cut: number, kept: string[]): Promise<T[]> => {
    const result = await client.query({
      query,
      query_params: { day, cut, kept, minPeople },
      format: 'JSONEachRow',
      clickhouse_settings: METRIC_SETTINGS,
    })
    return await result.json<T>()
  }
  const [newest] = await ask<{ cut: number }>(CUT, 0, [])
  const cut = newest?.cut ?? 0
  const all = await ask<BusinessDay['events'][number]>(EVENTS, cut, [])
  const events = all.filter((row) => row.users >= minPeople)
  const few = all.filter((row) => row.users < minPeople)
  const kept = events.map((row) => `${row.app} ${row.event}`)
  const read = <T>(query: string) => ask<T>(query, cut, kept)
  return {
    leftOut: { rows: few.length, events: few.reduce((sum, row) => sum + row.events, 0) },
    events,
    days: await read<BusinessDay['days'][number]>(DAYS),
    apps: await read<BusinessDay['apps'][number]>(APPS),
    revenue: await read<BusinessDay['revenue'][number]>(REVENUE),
    hours: await read<BusinessDay['hours'][number]>(HOURS),
    funnel: await read<BusinessDay['funnel'][number]>(FUNNEL),
    pages: await read<BusinessDay['pages'][number]>(PAGES),
    products: await read<BusinessDay['products'][number]>(PRODUCTS),
    buttons: await read<BusinessDay['buttons'][number]>(BUTTONS),
  }
}
