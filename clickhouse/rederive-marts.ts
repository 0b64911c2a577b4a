import { setTimeout as sleep } from 'node:timers/promises'
import { EbbError } from '../runtime/errors.ts'
import { isLeftOut } from '../runtime/left-out-purge.ts'
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
    await emptyStaging(client, [...chunk])
    // Asked once staging is empty: what a daily ETL publishes from here on, it has counted anew.
    const counted = (await findPartitions(client, ['metrics_batch_daily'], [...chunk].map(idOf))).map(
      ({ id }) => id,
    )
    if (counted.length === 0) continue
    for (const mart of DAY_MARTS) replaced.push(...(await rederiveMart(client, mart, pairs, counted)))
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

/** @param counted ids of the days that have been published */
async function rederiveMart(
  client: ClickHouseClient,
  mart: DayMart,
  touched: readonly AppDay[],
  counted: readonly string[],
): Promise<string[]> {
  const helper = `rederive_${mart.table}`
  await client.command({ query: `CREATE TABLE ${helper} AS ${mart.table}` })
  const list = counted.map((id) => `'${id}'`).join(', ')
  const known = new Set(counted)
  const pairs = touched.filter(({ day }) => known.has(idOf(day)))
  const dates = pairs.map(({ day }) => day).sort()
  const rows = `(SELECT * FROM events_raw WHERE ${amongDays('toDate(ts)', pairs)})`
  await insert(
    client,
    `INSERT INTO ${helper} SELECT * FROM ${mart.table}
     WHERE _partition_id IN (${list}) AND NOT (${amongDays('day', touched)})
     UNION ALL ${mart.select.replace('FROM events_raw', `FROM ${rows}`)}`,
    { from: dates[0], to: dates.at(-1) },
  )
  const replaced = await replacePartitions(client, mart.table, helper, counted)
  await client.command({ query: `DROP TABLE ${helper} SYNC` })
  return replaced
}

/** One statement for all days: the parts change hands day by day, each at once. */
async function replacePartitions(
  client: ClickHouseClient,
  table: string,
  helper: string,
  counted: readonly string[],
): Promise<string[]> {
  const found = await findPartitions(client, [table, helper], counted)
  const built = new Set(found.filter((one) => one.table === helper).map(({ id }) => id))
  const served = new Set(found.filter((one) => one.table === table).map(({ id }) => id))
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

async function emptyStaging(client: ClickHouseClient, days: readonly string[]): Promise<void> {
  if (isLeftOut('staging-partitions')) return
  const tables = DAY_MARTS.map(({ staging }) => staging)
  const held = await findPartitions(client, tables, days.map(idOf))
  for (const table of tables) {
    const changes = held
      .filter((one) => one.table === table)
      .map(({ id }) => `DROP PARTITION ID '${id}'`)
      .join(', ')
    if (changes === '') continue
    await client.command({ query: `ALTER TABLE ${table} ${changes}`, clickhouse_settings: EVERY_REPLICA })
  }
}

const idOf = (day: string) => day.replaceAll('-', '')

interface Partition {
  table: string
  /** `YYYYMMDD` */
  id: string
}

/** The partitions of these ids that hold anything. */
async function findPartitions(
  client: ClickHouseClient,
  tables: readonly string[],
  ids: readonly string[],
): Promise<Partition[]> {
  return await askRows<Partition>(
    client,
    `SELECT DISTINCT table, partition_id AS id FROM system.parts WHERE database = currentDatabase()
       AND table IN ({tables:Array(String)}) AND active AND rows > 0 AND partition_id IN ({ids:Array(String)}) ORDER BY id`,
    { tables, ids },
  )
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
