import { askRows } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'

/** Of our own bookkeeping, which a restore leaves as it is. */
const KEPT = /^(migrations|erase_.*|rederive_.*|archive_erasure)$/

/**
 * Of a part that has rows, and not only such as are due to go by the table's TTL: those the server takes at any moment, and then
 * refuses (26.6 and newer) to replace a partition by none.
 */
const IS_ALIVE = `rows > 0 AND (toUnixTimestamp(delete_ttl_info_max) = 0 OR delete_ttl_info_max > now())`

/**
 * Puts the contents of every table of the database `from` in the place of its namesake's in the client's own, a partition at
 * a time and each at once (hard links: no byte is copied). Views do not see it. Both must be of one schema version.
 * @returns partitions that were replaced or dropped
 */
export async function replaceTables(client: ClickHouseClient, from: string): Promise<number> {
  const rows = await askRows<{ table: string }>(
    client,
    `SELECT name AS table FROM system.tables WHERE database = {from:String} AND engine LIKE '%MergeTree' ORDER BY name`,
    { from },
  )
  let replaced = 0
  for (const { table } of rows.filter((row) => !KEPT.test(row.table))) {
    const restored = await partitionsOf(client, from, table, IS_ALIVE)
    const present = await partitionsOf(client, '', table)
    for (const id of restored) {
      await client.command({
        query: `ALTER TABLE ${table} REPLACE PARTITION ID '${id}' FROM ${from}.${table}`,
      })
    }
    for (const id of present.filter((one) => !restored.includes(one))) {
      await client.command({ query: `ALTER TABLE ${table} DROP PARTITION ID '${id}'` })
    }
    replaced += new Set([...restored, ...present]).size
  }
  return replaced
}

/** @param condition on parts, one of which must meet it */
async function partitionsOf(
  client: ClickHouseClient,
  database: string,
  table: string,
  condition = '1',
): Promise<string[]> {
  const rows = await askRows<{ id: string }>(
    client,
    `SELECT DISTINCT partition_id AS id FROM system.parts
     WHERE database = if({from:String} = '', currentDatabase(), {from:String}) AND table = {table:String} AND active AND ${condition}
     ORDER BY id`,
    { from: database, table },
  )
  return rows.map((row) => row.id)
}
