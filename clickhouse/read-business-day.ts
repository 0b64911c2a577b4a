import type { ClickHouseClient } from './client.ts'
import type { Day } from './daily-metric.ts'

/**
 * What a day's report shows beside the daily metrics. People are distinct subjects of the app, counted by uniq as
 * everywhere: the same people give the same figure here and on a dashboard. Not k-guarded.
 */
export interface BusinessDay {
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
  /** `revenue` by currency, decimal text. `users` had it in a cart or purchased it. */
  products: {
    app: string
    product: string
    carts: number
    purchases: number
    revenue: Record<string, string>
    users: number
  }[]
  buttons: { app: string; element: string; clicks: number; users: number }[]
}

/** Most rows of each top list; those with few people are taken out by the caller, so a few more than are shown. */
const TOP = 30

/**
 * Half-open bounds on `ts` and no function of it: partitions and the sort key can only be used on the bare column.
 */
const DAY_FILTER = `ts >= toDateTime64({day:String}, 3, 'UTC') AND ts < toDateTime64({day:String}, 3, 'UTC') + INTERVAL 1 DAY
  AND received_at <= fromUnixTimestamp64Milli({cut:Int64}, 'UTC')`

/** Late events come in while the report is read; all queries stop at the same receipt, so that their sums agree. */
const CUT = `
  SELECT toInt64(toUnixTimestamp64Milli(max(received_at))) AS cut FROM events_raw
  WHERE ts >= toDateTime64({day:String}, 3, 'UTC') AND ts < toDateTime64({day:String}, 3, 'UTC') + INTERVAL 1 DAY`

// Out of the states that the batch keeps: a few rows a day instead of a week of raw. A subject is one app's own.
const DAYS = `
  SELECT toString(day) AS day, sum(events) AS events, uniqMerge(users_state) AS users,
    uniqIfMerge(sessions_state) AS sessions
  FROM metrics_batch_daily
  WHERE metrics_batch_daily.day >= toDate({day:String}) - 7 AND metrics_batch_daily.day < toDate({day:String})
  GROUP BY day ORDER BY day`

const EVENTS = `
  SELECT app, event, count() AS events, uniq(subject) AS users,
    uniqIf(session, session != 0) AS sessions
  FROM events_raw WHERE ${DAY_FILTER} GROUP BY app, event ORDER BY app, events DESC, event`

const APPS = `
  SELECT app, count() AS events, uniq(subject) AS users, uniqIf(session, session != 0) AS sessions
  FROM events_raw WHERE ${DAY_FILTER} GROUP BY app ORDER BY events DESC, app`

const REVENUE = `
  SELECT app, currency, sum(revenue) AS revenue, count() AS purchases, uniq(subject) AS users
  FROM events_raw WHERE ${DAY_FILTER} AND event = 'purchase' AND currency != ''
  GROUP BY app, currency ORDER BY app, currency`

const HOURS = `
  SELECT toHour(ts, 'UTC') AS hour, count() AS events, uniq(subject) AS users
  FROM events_raw WHERE ${DAY_FILTER} GROUP BY hour ORDER BY hour`

// In order and within the day: windowFunnel's window is the whole day in milliseconds.
const FUNNEL = `
  SELECT app, countIf(step >= 1) AS viewed, countIf(step >= 2) AS added, countIf(step >= 3) AS purchased
  FROM (
    SELECT app, subject, windowFunnel(86400000)(
      toUInt64(toUnixTimestamp64Milli(ts)), event = 'page_view', event = 'add_to_cart', event = 'purchase') AS step
    FROM events_raw WHERE ${DAY_FILTER} AND event IN ('page_view', 'add_to_cart', 'purchase')
    GROUP BY app, subject
  ) GROUP BY app ORDER BY app`

const PAGES = `
  SELECT app, path, count() AS events, uniq(subject) AS users
  FROM events_raw WHERE ${DAY_FILTER} AND event IN ('page_view', 'screen') AND path != ''
  GROUP BY app, path ORDER BY events DESC, app, path LIMIT ${TOP}`

const PRODUCTS = `
  SELECT app, product, countIf(event = 'add_to_cart') AS carts, countIf(event = 'purchase') AS purchases,
    sumMapIf(map(toString(currency), revenue), event = 'purchase' AND currency != '') AS revenue,
    uniq(subject) AS users
  FROM events_raw WHERE ${DAY_FILTER} AND event IN ('add_to_cart', 'purchase') AND product != ''
  GROUP BY app, product ORDER BY purchases DESC, carts DESC, app, product LIMIT ${TOP}`

const BUTTONS = `
  SELECT app, element, count() AS clicks, uniq(subject) AS users
  FROM events_raw WHERE ${DAY_FILTER} AND event = 'button_click' AND element != ''
  GROUP BY app, element ORDER BY clicks DESC, app, element LIMIT ${TOP}`

/** Reads one UTC day of `events_raw`: nine scans of the day's rows, for one report a day and not for dashboards. */
export async function readBusinessDay(client: ClickHouseClient, day: Day): Promise<BusinessDay> {
  const ask = async <T>(query: string, cut = 0): Promise<T[]> => {
    const result = await client.query({
      query,
      query_params: { day, cut },
      format: 'JSONEachRow',
      clickhouse_settings: {
        // Counts fit a double (2^53); money stays text, so that no cent is rounded.
        output_format_json_quote_64bit_integers: 0,
        output_format_json_quote_decimals: 1,
      },
    })
    return await result.json<T>()
  }
  const [newest] = await ask<{ cut: number }>(CUT)
  const read = <T>(query: string) => ask<T>(query, newest?.cut ?? 0)
  return {
    apps: await read<BusinessDay['apps'][number]>(APPS),
    events: await read<BusinessDay['events'][number]>(EVENTS),
    days: await read<BusinessDay['days'][number]>(DAYS),
    revenue: await read<BusinessDay['revenue'][number]>(REVENUE),
    hours: await read<BusinessDay['hours'][number]>(HOURS),
    funnel: await read<BusinessDay['funnel'][number]>(FUNNEL),
    pages: await read<BusinessDay['pages'][number]>(PAGES),
    products: await read<BusinessDay['products'][number]>(PRODUCTS),
    buttons: await read<BusinessDay['buttons'][number]>(BUTTONS),
  }
}
