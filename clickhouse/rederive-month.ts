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
  month.raw = await countRaw(client, month)
  for (const aggregate of aggregates) {
    await copyRows(client, aggregate, month.id, `NOT (${amongDays(aggregate.day, month.touched)})`)
    await recountRows(client, aggregate, month.id, month.touched)
  }
}

/** Exact only while nothing is inserted: a view's rows come a moment after their raw ones. */
export async function findStaleDays(
  client: ClickHouseClient,
  aggregates: readonly LiveAggregate[],
  month: RederivedMonth,
): Promise<StaleDays> {
  const raw = await countRaw(client, month)
  const touched = month.touched.filter((one) => raw.get(keyOf(one)) !== month.raw.get(keyOf(one)))
  const copied = new Map<string, AppDay[]>()
  for (const aggregate of aggregates) {
    const [live, helper] = await Promise.all(
      [aggregate.table, aggregate.helper].map((table) => countCopied(client, aggregate, table, month)),
    )
    const keys = new Set([...live!.keys(), ...helper!.keys()])
    copied.set(
      aggregate.table,
      [...keys].filter((key) => live!.get(key) !== helper!.get(key)).map((key) => JSON.parse(key) as AppDay),
    )
  }
  return { touched, copied }
}

/** Builds stale days once more. @returns how many there were */
export async function refreshMonth(
  client: ClickHouseClient,
  aggregates: readonly LiveAggregate[],
  month: RederivedMonth,
): Promise<number> {
  const stale = await findStaleDays(client, aggregates, month)
  let refreshed = stale.touched.length
  if (stale.touched.length > 0) month.raw = await countRaw(client, month)
  for (const aggregate of aggregates) {
    const copied = stale.copied.get(aggregate.table) ?? []
    refreshed += copied.length
    const days = [...stale.touched, ...copied]
    if (days.length === 0) continue
    await client.command({
      query: `ALTER TABLE ${aggregate.helper} DELETE WHERE ${amongDays(aggregate.day, days)}`,
      clickhouse_settings: { ...SETTINGS, mutations_sync: '2' },
    })
    if (copied.length > 0) await copyRows(client, aggregate, month.id, amongDays(aggregate.day, copied))
    if (stale.touched.length > 0) await recountRows(client, aggregate, month.id, stale.touched)
  }
  return refreshed
}

/** Puts the built partition in the place of the live one, in one step a table: readers see the old rows or the new ones. */
export async function swapMonth(
  client: ClickHouseClient,
  aggregates: readonly LiveAggregate[],
  month: RederivedMonth,
): Promise<void> {
  for (const { table, helper } of aggregates) {
    const [built] = await askRows<{ n: number }>(
      client,
      `SELECT count() AS n FROM ${helper} WHERE _partition_id = '${month.id}'`,
    )
    // ClickHouse refuses to replace a partition by none.
    const change =
      built?.n === 0 ? `DROP PARTITION ID '${month.id}'` : `REPLACE PARTITION ID '${month.id}' FROM ${helper}`
    await client.command({ query: `ALTER TABLE ${table} ${change}`, clickhouse_settings: EVERY_REPLICA })
  }
}

async function copyRows(client: ClickHouseClient, aggregate: LiveAggregate, month: string, which: string) {
  const { table, helper, columns, alive } = aggregate
  await insert(
    client,
    `INSERT INTO ${helper} (${columns})
     SELECT ${columns} FROM ${table} WHERE _partition_id = '${month}' AND ${alive} AND ${which}`,
  )
}

async function recountRows(
  client: ClickHouseClient,
  aggregate: LiveAggregate,
  month: string,
  days: readonly AppDay[],
) {
  const { helper, columns, alive, rawAlive, recount } = aggregate
  await insert(
    client,
    `INSERT INTO ${helper} (${columns})
     SELECT ${columns} FROM (${recount(`${rawRows(month, days)} AND ${rawAlive}`)}) WHERE ${alive}`,
  )
}

async function insert(client: ClickHouseClient, query: string): Promise<void> {
  await client.command({ query, clickhouse_settings: { ...REPEATABLE_INSERT, ...SETTINGS } })
}

const keyOf = ({ app, day }: AppDay) => JSON.stringify({ app, day })

async function countRaw(client: ClickHouseClient, month: RederivedMonth): Promise<Map<string, number>> {
  return await countDays(
    client,
    `SELECT app, toDate(ts) AS on_day, count() AS n FROM events_raw
     WHERE ${rawRows(month.id, month.touched)} GROUP BY app, on_day`,
  )
}

async function countCopied(
  client: ClickHouseClient,
  aggregate: LiveAggregate,
  table: string,
  month: RederivedMonth,
): Promise<Map<string, number>> {
  const { day, count, alive } = aggregate
  return await countDays(
    client,
    `SELECT app, ${day} AS on_day, sum(${count}) AS n FROM ${table}
     WHERE _partition_id = '${month.id}' AND ${alive} AND NOT (${amongDays(day, month.touched)}) GROUP BY app, on_day`,
  )
}

async function countDays(client: ClickHouseClient, query: string): Promise<Map<string, number>> {
  const result = await client.query({
    query,
    format: 'JSONEachRow',
    clickhouse_settings: { ...SETTINGS, output_format_json_quote_64bit_integers: 0 },
  })
  const rows = await result.json<{ app: string; on_day: string; n: number }>()
  return new Map(rows.map((row) => [keyOf({ app: row.app, day: row.on_day }), row.n]))
}
