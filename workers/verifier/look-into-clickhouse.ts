import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { EbbError } from '../../runtime/errors.ts'
import { DATA_MAP } from '../../schemas/data-map.ts'
import { type Findings, namesOf, type Sought, waitFor } from './findings.ts'

/** Name of the store in findings, as in receipts. */
const STORE = 'clickhouse/events'

/** Tokens of one statement: they travel in the request's URL, which servers bound. */
const TOKENS_AT_ONCE = 250

/**
 * The rows as they lie on disk: a row that is only masked, or that a mutation has yet to take, is there. An eraser that
 * hides rows instead of deleting them is found by this.
 */
const AS_ON_DISK = { apply_deleted_mask: 0, apply_mutations_on_fly: 0, apply_patch_parts: 0 } as const

/** Old parts leave the disk within seconds (old_parts_lifetime of the platform's tables). */
const PARTS_MS = 45_000

/**
 * Looks for tokens in every table of the database that has a column of them, whether the data map names it or not, in
 * the texts of mutations, and for files of before: detached parts, and inactive ones that were replaced before our look.
 */
export async function lookIntoClickHouse(
  { clickhouse: client, patienceMs = PARTS_MS }: { clickhouse: ClickHouseClient; patienceMs?: number },
  sought: readonly Sought[],
  findings: Findings,
): Promise<void> {
  const tokens = namesOf(sought, 'tokens')
  const columns = await tokenColumns(client)
  requireMapped(columns)
  for (const { table, column } of columns) {
    for (let at = 0; at < tokens.length; at += TOKENS_AT_ONCE) {
      await countTokens(client, { table, column }, tokens.slice(at, at + TOKENS_AT_ONCE), findings)
    }
  }
  await searchMutations(client, tokens, findings)
  const frozen = await frozenTables(client)
  for (const { requestId } of sought) findings.add(requestId, STORE, frozen)
  const left = await leftoverParts(client, Math.min(patienceMs, PARTS_MS))
  for (const { requestId } of sought) findings.add(requestId, STORE, left)
}

interface TokenColumn {
  table: string
  column: string
}

/**
 * Found in the server and not in a list: a table that somebody added holds people all the same. A name that could end its
 * quotation is none of ours: it stops the look.
 */
async function tokenColumns(client: ClickHouseClient): Promise<TokenColumn[]> {
  const columns = await ask<TokenColumn>(
    client,
    `SELECT table, name AS column FROM system.columns
     WHERE database = currentDatabase() AND type LIKE '%FixedString(16)%' AND type NOT LIKE 'AggregateFunction%'
       AND name IN ('subject', 'token')
       AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine NOT LIKE '%View')`,
  )
  const odd = columns.find(({ table }) => !/^[\w.]+$/.test(table))
  if (odd) throw new EbbError('store_unreadable', 'a table has a name that cannot be looked into')
  return columns
}

/** A server without the tables that hold people is not one that was looked into. */
function requireMapped(columns: readonly TokenColumn[]): void {
  const present = new Set(columns.map((one) => one.table))
  const mapped = DATA_MAP.filter(
    ({ store, erasure, column }) =>
      store === 'clickhouse' && erasure === 'delete rows by subject' && column === 'subject',
  )
  const missing = mapped.find(({ object }) => !present.has(object))
  if (missing) throw new EbbError('store_unreadable', `table ${missing.object} cannot be looked into`)
}

async function countTokens(
  client: ClickHouseClient,
  { table, column }: TokenColumn,
  tokens: readonly string[],
  findings: Findings,
): Promise<void> {
  // An alias by the column's own name would stand in its place in WHERE, too.
  const rows = await ask<{ name: string; rows: string }>(
    client,
    `SELECT lower(hex(${column})) AS name, count() AS rows FROM \`${table}\`
     WHERE ${column} IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {tokens:String}))), 16))
     GROUP BY name`,
    { tokens: tokens.join(',') },
    AS_ON_DISK,
  )
  for (const row of rows) findings.addFor('tokens', row.name, STORE, Number(row.rows))
}

/** mutation_*.txt keeps the text of an ALTER for as long as the server remembers it. */
async function searchMutations(
  client: ClickHouseClient,
  tokens: readonly string[],
  findings: Findings,
): Promise<void> {
  const rows = await ask<{ command: string }>(
    client,
    'SELECT lower(command) AS command FROM system.mutations WHERE database = currentDatabase()',
  )
  const text = rows.map((row) => row.command).join('\n')
  for (const token of tokens) if (text.includes(token)) findings.addFor('tokens', token, STORE, 1)
}

/**
 * Parts of before our counts. What became inactive until now may hold what the counts no longer see; what becomes inactive
 * later held nothing when it was counted.
 */
async function leftoverParts(client: ClickHouseClient, patienceMs: number): Promise<number> {
  const [clock] = await ask<{ now: number }>(client, 'SELECT toUnixTimestamp(now()) AS now')
  let left = 0
  await waitFor(patienceMs, async () => {
    const [row] = await ask<{ parts: string }>(
      client,
      `SELECT (SELECT count() FROM system.parts
                WHERE database = currentDatabase() AND NOT active AND toUnixTimestamp(remove_time) <= {now:UInt64})
            + (SELECT count() FROM system.detached_parts WHERE database = currentDatabase()) AS parts`,
      { now: clock!.now },
    )
    left = Number(row?.parts ?? 0)
    return left === 0
  })
  return left
}

/**
 * Copies that a FREEZE left below `shadow/`. SQL cannot list them: they are looked for where the server's disks are on this
 * machine; elsewhere the eraser's UNFREEZE is all there is (docs/transparency-log.md).
 */
async function frozenTables(client: ClickHouseClient): Promise<number> {
  const disks = await ask<{ path: string }>(client, "SELECT path FROM system.disks WHERE type = 'Local'")
  const tables = await ask<{ path: string }>(
    client,
    'SELECT arrayJoin(data_paths) AS path FROM system.tables WHERE database = currentDatabase()',
  )
  let found = 0
  for (const disk of disks) {
    const shadow = join(disk.path, 'shadow')
    for (const name of await readdir(shadow).catch(() => [])) {
      for (const table of tables.filter(({ path }) => path.startsWith(disk.path))) {
        const frozen = join(shadow, name, table.path.slice(disk.path.length))
        if ((await readdir(frozen).catch(() => [])).length > 0) found += 1
      }
    }
  }
  return found
}

export async function ask<Row>(
  client: ClickHouseClient,
  query: string,
  query_params: Record<string, unknown> = {},
  clickhouse_settings: Record<string, string | number> = {},
): Promise<Row[]> {
  const result = await client.query({ query, query_params, format: 'JSONEachRow', clickhouse_settings })
  return result.json<Row>()
}
