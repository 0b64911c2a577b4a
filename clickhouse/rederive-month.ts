import type { AppDay } from './affected-days.ts'
import { askRows } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'
import { EVERY_REPLICA, REPEATABLE_INSERT } from './erase-tokens.ts'
import type { LiveAggregate } from './live-aggregates.ts'

/** A month's partition of the live aggregates that is built anew beside the live one. */
export interface RederivedMonth {
  /** `YYYYMM`, the partition's id. */
  id: string
  /** Days of apps that are counted again; the rest of the month is copied. */
  touched: AppDay[]
  /** Events of each touched day in `events_raw`, asked before they were counted: if it says the same later, nothing came since. */
  raw: Map<string, number>
}

/** Days of apps that got events after they were counted or copied. */
export interface StaleDays {
  touched: AppDay[]
  /** Events of the touched days, as they were counted for this. */
  raw: Map<string, number>
  /** By table. */
  copied: Map<string, AppDay[]>
}

const SETTINGS = { max_query_size: '16777216' } as const

/** A condition that a row's app and day are among these; texts of apps are quoted, days are the server's own. */
export function amongDays(day: string, days: readonly AppDay[]): string {
  if (days.length === 0) return '0'
  const quote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`
  return `(app, ${day}) IN (${days.map((one) => `(${quote(one.app)}, ${quote(one.day)})`).join(', ')})`
}

/** Rows of `events_raw` of these days, all of one month. */
function rawRows(month: string, days: readonly AppDay[]): string {
  return `_partition_id = '${month}' AND ${amongDays('toDate(ts)', days)}`
}

/** Fills the helpers' partition: what was touched from raw, the rest from the live table. */
export async function prepareMonth(
  client: ClickHouseClient,
  aggregates: readonly LiveAggregate[],
  month: RederivedMonth,
): Promise<void> {
  month.raw = (await countEvents(client, [], month)).raw
  for (const aggregate of aggregates)
    await insert(client, aggregate, [
      copied(aggregate, month.id, `NOT (${amongDays(aggregate.day, month.touched)})`),
      recounted(aggregate, month.id, month.touched),
    ])
}

/** Exact only while nothing is inserted: a view's rows come a moment after their raw ones. */
export async function findStaleDays(
  client: ClickHouseClient,
  aggregates: readonly LiveAggregate[],
  month: RederivedMonth,
): Promise<StaleDays> {
  const { raw, tables } = await countEvents(client, aggregates, month)
  const touched = month.touched.filter((one) => raw.get(keyOf(one)) !== month.raw.get(keyOf(one)))
  const copied = new Map<string, AppDay[]>()
  for (const { table, helper } of aggregates) {
    const [live, built] = [table, helper].map((one) => tables.get(one) ?? new Map<string, number>())
    const keys = new Set([...live!.keys(), ...built!.keys()])
    copied.set(
      table,
      [...keys].filter((key) => live!.get(key) !== built!.get(key)).map((key) => JSON.parse(key) as AppDay),
    )
  }
  return { touched, raw, copied }
}

/** Builds stale days once more. @returns how many there were */
export async function refreshMonth(
  client: ClickHouseClient,
  aggregates: readonly LiveAggregate[],
  month: RederivedMonth,
): Promise<number> {
  const stale = await findStaleDays(client, aggregates, month)
  let refreshed = stale.touched.length
  // Counted before they are built: what comes in between makes them stale once more, and is never missed.
  month.raw = stale.raw
  for (const aggregate of aggregates) {
    const moved = stale.copied.get(aggregate.table) ?? []
    refreshed += moved.length
    const days = [...stale.touched, ...moved]
    if (days.length === 0) continue
    await client.command({
      query: `ALTER TABLE ${aggregate.helper} DELETE WHERE ${amongDays(aggregate.day, days)}`,
      clickhouse_settings: { ...SETTINGS, mutations_sync: '2' },
    })
    await insert(client, aggregate, [
      ...(moved.length > 0 ? [copied(aggregate, month.id, amongDays(aggregate.day, moved))] : []),
      ...(stale.touched.length > 0 ? [recounted(aggregate, month.id, stale.touched)] : []),
    ])
  }
  return refreshed
}

/** Puts the built partition in the place of the live one, in one step a table: readers see the old rows or the new ones. */
export async function swapMonth(
  client: ClickHouseClient,
  aggregates: readonly LiveAggregate[],
  month: RederivedMonth,
): Promise<void> {
  const built = await askRows<{ helper: string }>(
    client,
    `SELECT DISTINCT table AS helper FROM system.parts WHERE database = currentDatabase() AND active AND rows > 0
       AND partition_id = {month:String} AND table IN ({helpers:Array(String)})`,
    { month: month.id, helpers: aggregates.map(({ helper }) => helper) },
  )
  for (const { table, helper } of aggregates) {
    // ClickHouse refuses to replace a partition by none.
    const change = built.some((one) => one.helper === helper)
      ? `REPLACE PARTITION ID '${month.id}' FROM ${helper}`
      : `DROP PARTITION ID '${month.id}'`
    await client.command({ query: `ALTER TABLE ${table} ${change}`, clickhouse_settings: EVERY_REPLICA })
  }
}

/** SELECT of live rows of the month that meet a condition. */
function copied({ table, columns, alive }: LiveAggregate, month: string, which: string): string {
  return `SELECT ${columns} FROM ${table} WHERE _partition_id = '${month}' AND ${alive} AND ${which}`
}

/** SELECT of what the live table should hold of these days of the month. */
function recounted(aggregate: LiveAggregate, month: string, days: readonly AppDay[]): string {
  const { columns, alive, rawAlive, recount } = aggregate
  return `SELECT ${columns} FROM (${recount(`${rawRows(month, days)} AND ${rawAlive}`)}) WHERE ${alive}`
}

async function insert(
  client: ClickHouseClient,
  { helper, columns }: LiveAggregate,
  selects: readonly string[],
): Promise<void> {
  await client.command({
    query: `INSERT INTO ${helper} (${columns}) ${selects.join(' UNION ALL ')}`,
    clickhouse_settings: { ...REPEATABLE_INSERT, ...SETTINGS },
  })
}

const keyOf = ({ app, day }: AppDay) => JSON.stringify({ app, day })

interface EventCounts {
  /** Of the touched days, in `events_raw`. */
  raw: Map<string, number>
  /** Of the days that are copied, by table: the live ones and their helpers. */
  tables: Map<string, Map<string, number>>
}

/** One statement for all tables: it is asked while ingest waits. */
async function countEvents(
  client: ClickHouseClient,
  aggregates: readonly LiveAggregate[],
  month: RederivedMonth,
): Promise<EventCounts> {
  const counts = aggregates.flatMap(({ table, helper, day, count, alive }) =>
    [table, helper].map(
      (one) => `SELECT '${one}' AS counted, app, ${day} AS on_day, sum(${count}) AS n FROM ${one}
        WHERE _partition_id = '${month.id}' AND ${alive} AND NOT (${amongDays(day, month.touched)}) GROUP BY app, on_day`,
    ),
  )
  const result = await client.query({
    query: [
      `SELECT 'events_raw' AS counted, app, toDate(ts) AS on_day, count() AS n FROM events_raw
       WHERE ${rawRows(month.id, month.touched)} GROUP BY app, on_day`,
      ...counts,
    ].join(' UNION ALL '),
    format: 'JSONEachRow',
    clickhouse_settings: { ...SETTINGS, output_format_json_quote_64bit_integers: 0 },
  })
  const tables = new Map<string, Map<string, number>>()
  for (const { counted, app, on_day, n } of await result.json<{
    counted: string
    app: string
    on_day: string
    n: number
  }>()) {
    const days = tables.get(counted) ?? new Map<string, number>()
    tables.set(counted, days.set(keyOf({ app, day: on_day }), n))
  }
  return { raw: tables.get('events_raw') ?? new Map(), tables }
}
