import { ClickHouseError } from '@clickhouse/client'
import { isLeftOut } from '../runtime/left-out-purge.ts'
import { askRows } from './await-parts-gone.ts'
import type { ClickHouseClient } from './client.ts'

/** A real server lets nobody look into its folders by file(): ACCESS_DENIED, DATABASE_ACCESS_DENIED, PATH_ACCESS_DENIED. */
const NOT_SHOWN = new Set(['497', '291', '481'])

/**
 * Parts that the engine or an operator has set aside hold rows of anyone: no query reads them, a byte scan does. Detached ones are
 * dropped, and frozen ones (`ALTER … FREEZE`) unfrozen where the server shows its shadow folder; where it does not, whoever froze
 * must unfreeze, see docs/erasure-clickhouse.md.
 */
export async function dropSetAsideParts(client: ClickHouseClient, tables: readonly string[]): Promise<void> {
  if (isLeftOut('set-aside-parts')) return
  await dropDetached(client, tables)
  for (const { table, name } of await findFrozenParts(client, tables))
    await client.command({ query: `ALTER TABLE ${table} UNFREEZE WITH NAME '${quoted(name)}'` })
}

async function dropDetached(client: ClickHouseClient, tables: readonly string[]): Promise<void> {
  const parts = await askRows<{ table: string; name: string }>(
    client,
    `SELECT table, name FROM system.detached_parts
     WHERE database = currentDatabase() AND table IN ({tables:Array(String)})`,
    { tables },
  )
  for (const { table, name } of parts)
    await client.command({
      query: `ALTER TABLE ${table} DROP DETACHED PART '${quoted(name)}'`,
      clickhouse_settings: { allow_drop_detached: 1 },
    })
}

/** Tables with frozen parts, and the names that they were frozen under: `shadow/<name>/store/<…>/<uuid of the table>/<part>`. */
export async function findFrozenParts(
  client: ClickHouseClient,
  tables: readonly string[],
): Promise<{ table: string; name: string }[]> {
  const [disks, known] = await Promise.all([
    askRows<{ path: string }>(
      client,
      `SELECT DISTINCT disk_path AS path FROM (SELECT path AS disk_path FROM system.disks WHERE type = 'Local')`,
    ),
    askRows<{ table: string; uuid: string }>(
      client,
      `SELECT name AS table, toString(uuid) AS uuid FROM system.tables
       WHERE database = currentDatabase() AND name IN ({tables:Array(String)})`,
      { tables },
    ),
  ])
  const files = await Promise.all(disks.map(({ path }) => listShadow(client, path)))
  const found = new Map<string, { table: string; name: string }>()
  for (const file of files.flat()) {
    const [, name = '', uuid] = /\/shadow\/([^/]+)\/store\/[^/]+\/([^/]+)\//.exec(file) ?? []
    const table = known.find((one) => one.uuid === uuid)?.table
    if (table) found.set(`${table} ${name}`, { table, name })
  }
  return [...found.values()]
}

async function listShadow(client: ClickHouseClient, disk: string): Promise<string[]> {
  try {
    const files = await askRows<{ file: string }>(
      client,
      `SELECT DISTINCT _path AS file FROM file('${quoted(disk)}shadow/*/store/*/*/*/count.txt', 'One')`,
    )
    return files.map(({ file }) => file)
  } catch (error) {
    if (error instanceof ClickHouseError && NOT_SHOWN.has(error.code)) return []
    throw error
  }
}

const quoted = (text: string) => text.replace(/[\\']/g, '\\$&')
