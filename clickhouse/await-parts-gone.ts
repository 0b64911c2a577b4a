import { setTimeout as sleep } from 'node:timers/promises'
import { EbbError } from '../runtime/errors.ts'
import type { ClickHouseClient } from './client.ts'

/** Old parts stay a second at least, on most servers for a minute and more. */
const FIRST_LOOK_MS = 200
const LAST_LOOK_MS = 1_000

/** Asks one question of a server and gives its rows, counts as numbers. */
export async function askRows<T>(
  client: ClickHouseClient,
  query: string,
  query_params: Record<string, unknown> = {},
): Promise<T[]> {
  const result = await client.query({
    query,
    query_params,
    format: 'JSONEachRow',
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  })
  return result.json<T>()
}

/** The server's clock. */
export async function readServerTime(client: ClickHouseClient): Promise<string> {
  const [row] = await askRows<{ at: string }>(client, `SELECT toString(now('UTC')) AS at`)
  return row?.at ?? ''
}

/**
 * SELECT of `table` and `name` of inactive parts that hold what a deletion or a swap took away; has the parameter
 * {tables:Array(String)}. A part is from before the newest deletion of its table when its data version is lower, and from before a
 * swap or drop when its blocks all come before those of every active part of its partition: a merge's sources never do. So parts that
 * ingest and merges leave behind all the time are not waited for.
 */
export const OUTDATED_PARTS = `
  SELECT p.table AS table, p.name AS name
  FROM (SELECT * FROM system.parts WHERE database = currentDatabase() AND table IN ({tables:Array(String)}) AND NOT active) AS p
  LEFT JOIN (
    SELECT table, max(arrayMax(block_numbers.number)) AS version FROM system.mutations
    WHERE database = currentDatabase() AND is_done GROUP BY table
  ) AS m ON m.table = p.table
  LEFT JOIN (
    SELECT table, partition_id, min(min_block_number) AS first, 1 AS there FROM system.parts
    WHERE database = currentDatabase() AND active GROUP BY table, partition_id
  ) AS a ON a.table = p.table AND a.partition_id = p.partition_id
  WHERE p.data_version < m.version OR a.there = 0 OR p.max_block_number < a.first`

/**
 * Waits until the parts that hold what was just deleted or replaced have left the disk. How long they stay is the server's
 * `old_parts_lifetime` and cleanup periods. @throws EbbError `parts_remain` after `patienceMs`
 */
export async function awaitPartsGone(
  client: ClickHouseClient,
  tables: readonly string[],
  patienceMs: number,
): Promise<void> {
  const giveUpAt = Date.now() + patienceMs
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(LAST_LOOK_MS, pauseMs * 1.25)) {
    const [row] = await askRows<{ n: number }>(client, `SELECT count() AS n FROM (${OUTDATED_PARTS})`, {
      tables,
    })
    if (row?.n === 0) return
    if (Date.now() > giveUpAt)
      throw new EbbError('parts_remain', `${row?.n} replaced parts are still on the disk`)
    await sleep(pauseMs)
  }
}
