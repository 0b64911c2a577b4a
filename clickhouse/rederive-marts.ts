import { setTimeout as sleep } from 'node:timers/promises'
import { EbbError } from '../runtime/errors.ts'
import type { AppDay } from './affected-days.ts'
import { askRows } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'
import { DAY_MARTS, type DayMart } from './day-marts.ts'
import { EVERY_REPLICA, REPEATABLE_INSERT } from './erase-tokens.ts'
import { amongDays } from './rederive-month.ts'

/** An insert may make 100 partitions. */
const MAX_DAYS = 61
const LOOK_MS = 100

/**
 * Counts the published marts of these days again, as the daily ETL does, app by app, and empties their staging: it is a hard link
 * of what was published, or the work of a run under way, which notices and counts again. Days that no ETL has counted yet stay so.
 * What analysts see (`shown_…`) is not touched.
 * @param since the server's time at which the rows were gone: whoever began to count before may have seen them.
 * @returns the partitions that were replaced, as `table/partition`. @throws EbbError `staging_busy`
 */
export async function rederiveMarts(
  client: ClickHouseClient,
  touched: readonly AppDay[],
  since: string,
  patienceMs: number,
): Promise<string[]> {
  await awaitCounters(client, since, patienceMs)
  const days = [...new Set(touched.map(({ day }) => day))].sort()
  const replaced: string[] = []
  for (let from = 0; from < days.length; from += MAX_DAYS) {
    const chunk = new Set(days.slice(from, from + MAX_DAYS))
    const pairs = touched.filter(({ day }) => chunk.has(day))
    for (const mart of DAY_MARTS) await dropPartitions(client, mart.staging, [...chunk])
    for (const mart of DAY_MARTS) replaced.push(...(await rederiveMart(client, mart, pairs, [...chunk])))
  }
  return replaced
}

/** Waits until no query that started before `since` fills a staging table: it may have read what is gone now. */
async function awaitCounters(client: ClickHouseClient, since: string, patienceMs: number): Promise<void> {
  for (const giveUpAt = Date.now() + patienceMs; ; await sleep(LOOK_MS)) {
    const [row] = await askRows<{ n: number }>(
      client,
      `SELECT count() AS n FROM system.processes
       WHERE current_database = currentDatabase() AND match(query, '^\\\\s*INSERT INTO \\\\w+_staging')
         AND now64(3, 'UTC') - toIntervalMillisecond(toInt64(elapsed * 1000)) <= toDateTime64({since:String}, 3, 'UTC') + 1`,
      { since },
    )
    if (row?.n === 0) return
    if (Date.now() > giveUpAt)
      throw new EbbError('staging_busy', 'a count from before the erasure does not end')
  }
}

async function rederiveMart(
  client: ClickHouseClient,
  mart: DayMart,
  touched: readonly AppDay[],
  days: readonly string[],
): Promise<string[]> {
  const counted = await findPartitions(client, 'metrics_batch_daily', days)
  if (counted.length === 0) return []
  const helper = `rederive_${mart.table}`
  await client.command({ query: `DROP TABLE IF EXISTS ${helper} SYNC` })
  await client.command({ query: `CREATE TABLE ${helper} AS ${mart.table}` })
  const list = counted.map((id) => `'${id}'`).join(', ')
  await insert(
    client,
    `INSERT INTO ${helper} SELECT * FROM ${mart.table}
     WHERE _partition_id IN (${list}) AND NOT (${amongDays('day', touched)})`,
  )
  const known = new Set(counted)
  const pairs = touched.filter(({ day }) => known.has(idOf(day)))
  const dates = pairs.map(({ day }) => day).sort()
  const rows = `(SELECT * FROM events_raw WHERE ${amongDays('toDate(ts)', pairs)})`
  await insert(client, `INSERT INTO ${helper} ${mart.select.replace('FROM events_raw', `FROM ${rows}`)}`, {
    from: dates[0],
    to: dates.at(-1),
  })
  const replaced = await replacePartitions(client, mart.table, helper, counted, days)
  await client.command({ query: `DROP TABLE ${helper} SYNC` })
  return replaced
}

/** One statement for all days: the parts change hands day by day, each at once. */
async function replacePartitions(
  client: ClickHouseClient,
  table: string,
  helper: string,
  counted: readonly string[],
  days: readonly string[],
): Promise<string[]> {
  const built = new Set(await findPartitions(client, helper, days))
  const served = new Set(await findPartitions(client, table, days))
  const changes = counted.flatMap((id) => {
    if (built.has(id)) return `REPLACE PARTITION ID '${id}' FROM ${helper}`
    return served.has(id) ? `DROP PARTITION ID '${id}'` : []
  })
  if (changes.length > 0)
    await client.command({
      query: `ALTER TABLE ${table} ${changes.join(', ')}`,
      clickhouse_settings: EVERY_REPLICA,
    })
  return counted.filter((id) => built.has(id) || served.has(id)).map((id) => `${table}/${id}`)
}

async function dropPartitions(
  client: ClickHouseClient,
  table: string,
  days: readonly string[],
): Promise<void> {
  const held = await findPartitions(client, table, days)
  if (held.length === 0) return
  const changes = held.map((id) => `DROP PARTITION ID '${id}'`).join(', ')
  await client.command({ query: `ALTER TABLE ${table} ${changes}`, clickhouse_settings: EVERY_REPLICA })
}

const idOf = (day: string) => day.replaceAll('-', '')

/** Ids of the days that have a partition. */
async function findPartitions(
  client: ClickHouseClient,
  table: string,
  days: readonly string[],
): Promise<string[]> {
  const rows = await askRows<{ id: string }>(
    client,
    `SELECT DISTINCT partition_id AS id FROM system.parts WHERE database = currentDatabase() AND table = {table:String}
       AND active AND rows > 0 AND partition_id IN ({ids:Array(String)}) ORDER BY id`,
    { table, ids: days.map(idOf) },
  )
  return rows.map(({ id }) => id)
}

async function insert(
  client: ClickHouseClient,
  query: string,
  query_params: Record<string, unknown> = {},
): Promise<void> {
  await client.command({
    query,
    query_params,
    clickhouse_settings: { ...REPEATABLE_INSERT, max_query_size: '16777216' },
  })
}
