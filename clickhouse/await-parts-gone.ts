import { setTimeout as sleep } from 'node:timers/promises'
import { EbbError } from '../runtime/errors.ts'
import type { ClickHouseClient } from './client.ts'

const LOOK_MS = 200

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

/** The server's clock, as parts are dated by it. */
export async function readServerTime(client: ClickHouseClient): Promise<string> {
  const [row] = await askRows<{ at: string }>(client, `SELECT toString(now('UTC')) AS at`)
  return row?.at ?? ''
}

/**
 * Waits until every inactive part of the tables that was written up to `at` (server's clock) has left the disk: they hold what was
 * just deleted or replaced. How long they stay is the server's `old_parts_lifetime` and cleanup periods.
 * @throws EbbError `parts_remain` after `patienceMs`
 */
export async function awaitPartsGone(
  client: ClickHouseClient,
  tables: readonly string[],
  at: string,
  patienceMs: number,
): Promise<void> {
  for (const giveUpAt = Date.now() + patienceMs; ; await sleep(LOOK_MS)) {
    const [row] = await askRows<{ n: number }>(
      client,
      `SELECT count() AS n FROM system.parts
       WHERE database = currentDatabase() AND table IN ({tables:Array(String)}) AND NOT active
         AND modification_time <= toDateTime({at:String}, 'UTC')`,
      { tables, at },
    )
    if (row?.n === 0) return
    if (Date.now() > giveUpAt)
      throw new EbbError('parts_remain', `${row?.n} replaced parts are still on the disk`)
  }
}

/**
 * Parts that the engine or an operator has set aside hold rows of anyone: no query reads them, a byte scan does. They go before the
 * deletion is called done.
 */
export async function dropDetachedParts(client: ClickHouseClient, tables: readonly string[]): Promise<void> {
  const parts = await askRows<{ table: string; name: string }>(
    client,
    `SELECT table, name FROM system.detached_parts
     WHERE database = currentDatabase() AND table IN ({tables:Array(String)})`,
    { tables },
  )
  for (const { table, name } of parts)
    await client.command({
      query: `ALTER TABLE ${table} DROP DETACHED PART '${name.replace(/[^\w.-]/g, '')}'`,
      clickhouse_settings: { allow_drop_detached: 1 },
    })
}
