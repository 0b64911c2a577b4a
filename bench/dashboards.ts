import type { ClickHouseClient } from '../clickhouse/client.ts'
import { createClickHouse } from '../clickhouse/client.ts'
import { DAY_MARTS } from '../clickhouse/day-marts.ts'
import { migrateClickHouse } from '../clickhouse/migrate.ts'
import { publishDays } from '../clickhouse/publish-days.ts'
import { MONTH_SELECT } from '../clickhouse/publish-month.ts'
import { type Config, readConfig } from '../runtime/config.ts'
import { DASHBOARD_QUERIES, type DashboardQuery } from './dashboard-queries.ts'

export interface DashboardFigures {
  /** Over all queries and repeats, at the client. */
  p50Ms: number
  p99Ms: number
  /** Best, median and worst of each query. */
  queries: { name: string; bestMs: number; p50Ms: number; maxMs: number; rows: number }[]
}

export interface YearOptions {
  rows: number
  people: number
  /** Last day of the year that is made, `YYYY-MM-DD`. */
  lastDay: string
}

/** A mature small customer: 27,000 events a day, a thousand people in an app and day. */
const YEAR: YearOptions = { rows: 10_000_000, people: 100_000, lastDay: today() }
const DAYS = 365

/**
 * Asks every dashboard query of `bi`, as the analysts' user, over a year of 10 million events in a database of its own
 * (`<database>_year`, made on the first call, which takes up to a minute).
 */
export async function measureDashboards(
  config: Config,
  repeats = 7,
  options: YearOptions = YEAR,
): Promise<DashboardFigures> {
  const year = await ensureYear(config, options)
  const client = createClickHouse(year, {
    username: 'bi',
    password: biPassword(),
    database: year.clickhouse.biDatabase,
  })
  try {
    const queries = []
    const all: number[] = []
    for (const query of DASHBOARD_QUERIES) {
      const times = []
      let rows = 0
      for (let repeat = 0; repeat < repeats; repeat++) {
        const asked = await ask(client, query)
        times.push(asked.ms)
        rows = asked.rows
      }
      all.push(...times)
      queries.push({
        name: query.name,
        bestMs: percentile(times, 0),
        p50Ms: percentile(times, 0.5),
        maxMs: percentile(times, 1),
        rows,
      })
    }
    return { p50Ms: percentile(all, 0.5), p99Ms: percentile(all, 0.99), queries }
  } finally {
    await client.close()
  }
}

/** The configuration of the year's databases; they are made and filled unless they are there with all their rows. */
export async function ensureYear(config: Config, options: YearOptions): Promise<Config> {
  const database = `${config.clickhouse.database}_year`
  const year: Config = {
    ...config,
    clickhouse: { ...config.clickhouse, database, biDatabase: `bi_${database}` },
  }
  await migrateClickHouse(year)
  const client = createClickHouse(year, { requestTimeoutMs: 300_000 })
  try {
    const result = await client.query({
      query: 'SELECT count() AS rows FROM events_raw',
      format: 'JSONEachRow',
    })
    const [row] = await result.json<{ rows: number | string }>()
    if (Number(row?.rows) < options.rows) await fillYear(client, options)
  } finally {
    await client.close()
  }
  return year
}

/**
 * A year of events, in the order of time: sessions of 20 events of one person, through the live views like any other insert,
 * and then the daily recount of all its days at once.
 */
export async function fillYear(client: ClickHouseClient, options: YearOptions): Promise<void> {
  const chunk = 500_000
  for (let from = 0; from < options.rows; from += chunk) {
    await client.command({
      query: `INSERT INTO events_raw (app, event, ts, received_at, subject, session, device, event_id, order_id, path, element,
                product, revenue, currency, props) ${generatedRows(from, Math.min(chunk, options.rows - from), options)}`,
      clickhouse_settings: { async_insert: 0, max_insert_threads: '1' },
    })
  }
  const last = new Date(`${options.lastDay}T00:00:00Z`).getTime()
  const day = (back: number) => new Date(last - back * 86_400_000).toISOString().slice(0, 10)
  // In pieces of 61 days: an insert may make 100 partitions. Today stays live, as it would be.
  for (let back = DAYS - 1; back >= 1; back -= 61) {
    for (const mart of DAY_MARTS) {
      await client.command({
        query: `INSERT INTO ${mart.table} ${mart.select}`,
        query_params: { from: day(back), to: day(Math.max(1, back - 60)) },
        clickhouse_settings: { async_insert: 0 },
      })
    }
  }
  await publishDays(client, { from: day(DAYS - 1), to: day(1) })
  await client.command({
    query: `INSERT INTO trends_monthly ${MONTH_SELECT}`,
    query_params: { from: day(DAYS), to: options.lastDay },
  })
}

function generatedRows(from: number, rows: number, options: YearOptions): string {
  const stepMs = (DAYS * 86_400_000) / options.rows
  return `
    WITH
      intDiv(number, 20) AS visit,
      sipHash64(visit, 1) AS v,
      sipHash64(number, 2) AS h,
      v % ${options.people} AS person,
      multiIf(h % 100 < 62, 'page_view', h % 100 < 74, 'add_to_cart', h % 100 < 77, 'purchase', h % 100 < 95, 'button_click', 'screen') AS kind
    SELECT
      ['shop', 'kids', 'blog'][v % 3 + 1], kind,
      toDateTime64('${options.lastDay} 23:59:59.999', 3, 'UTC') - toIntervalMillisecond(toInt64((${options.rows} - number) * ${stepMs})) AS ts, ts,
      sipHash128(person), sipHash64(visit, 3), sipHash64(person, 4), h,
      if(kind = 'purchase', sipHash64(h), 0),
      if(kind IN ('page_view', 'button_click'), '/category-' || toString(h % 17) || '/page-' || toString(intDiv(h, 100) % 20), ''),
      if(kind = 'button_click', 'button-' || toString(intDiv(h, 10000) % 12), ''),
      if(kind IN ('add_to_cart', 'purchase'), 'sku-' || toString(intDiv(h, 1000) % 300), ''),
      toDecimal64(if(kind = 'purchase', 1 + intDiv(h, 77) % 200, 0), 4),
      if(kind = 'purchase', 'EUR', ''),
      '{"title":"Page ' || toString(intDiv(h, 100) % 20) || '","referrer":"' || toString(h % 9) || '"}'
    FROM numbers(${from}, ${rows})`
}

async function ask(client: ClickHouseClient, query: DashboardQuery): Promise<{ ms: number; rows: number }> {
  const start = performance.now()
  const result = await client.query({ query: query.sql, format: 'JSONEachRow' })
  const rows = (await result.json()).length
  return { ms: performance.now() - start, rows }
}

function percentile(times: number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  return Math.round((sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0) * 10) / 10
}

function today(): string {
  return new Date().toISOString().slice(0, 10)
}

function biPassword(): string {
  return readConfig().clickhouse.biPassword || 'bi'
}
