import { isLeftOut } from '../runtime/left-out-purge.ts'
import { type Postgres, PostgresRefusal } from './client.ts'
import { waitForReaders } from './wait-for-readers.ts'

/**
 * Deletes rows of these subjects. @param table, @param columns names of the data map, never of a caller's making.
 * @returns rows deleted.
 */
export async function deleteVaultRows(
  postgres: Postgres,
  table: string,
  columns: readonly string[],
  subjectIds: readonly string[],
): Promise<number> {
  const rows = await postgres.query<{ deleted: number }>(
    `erase_${table}`,
    `WITH gone AS (DELETE FROM ${table} WHERE ${match(columns)} RETURNING 1) SELECT count(*)::int AS deleted FROM gone`,
    [subjectIds],
  )
  return rows[0]!.deleted
}

export async function countVaultRows(
  postgres: Postgres,
  table: string,
  columns: readonly string[],
  subjectIds: readonly string[],
): Promise<number> {
  const rows = await postgres.query<{ rows: number }>(
    `count_${table}`,
    `SELECT count(*)::int AS rows FROM ${table} WHERE ${match(columns)}`,
    [subjectIds],
  )
  return rows[0]!.rows
}

function match(columns: readonly string[]): string {
  return columns.map((column) => `${column} = ANY($1::uuid[])`).join(' OR ')
}

export interface RewrittenTable {
  table: string
  /** Names of its file; the same where the table was only vacuumed. */
  before: string
  after: string
}

/**
 * Writes these tables' live rows into new files and drops the old ones; statistics are taken anew, and the catalogue that held
 * the old ones is rewritten too. To be called when all is deleted: one wait for older readers, and one rewrite of the catalogue,
 * serve all tables.
 * @param largestBytes a larger table is only vacuumed, since a rewrite keeps readers and writers out while it lasts: bytes of its
 *   deleted rows then stay in their pages until later rows come to lie there
 */
export async function rewriteTables(
  postgres: Postgres,
  tables: readonly string[],
  largestBytes: number,
): Promise<RewrittenTable[]> {
  const before = await describeTables(postgres, tables)
  const fileOf = (table: string) => before.get(table)!.file
  if (isLeftOut('vault-rewrite'))
    return tables.map((table) => ({ table, before: fileOf(table), after: fileOf(table) }))
  await waitForReaders(postgres)
  for (const table of tables) {
    const full = before.get(table)!.bytes <= largestBytes
    // Two names, as two statements need: a table may grow beyond the limit while a connection lives.
    if (full) await postgres.query(`rewrite_${table}`, `VACUUM (FULL, ANALYZE) ${table}`, [])
    else await postgres.query(`vacuum_${table}`, `VACUUM (ANALYZE) ${table}`, [])
  }
  try {
    await postgres.query('rewrite_statistics', 'VACUUM FULL pg_catalog.pg_statistic', [])
  } catch (error) {
    // Another rewrite of the catalogue holds it at this moment; that one does our work.
    if (!(error instanceof PostgresRefusal)) throw error
  }
  const after = await describeTables(postgres, tables)
  return tables.map((table) => ({ table, before: fileOf(table), after: after.get(table)!.file }))
}

/** Names of the database's own tables. */
export async function presentTables(postgres: Postgres): Promise<Set<string>> {
  const rows = await postgres.query<{ name: string }>(
    'present_tables',
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
    [],
  )
  return new Set(rows.map((row) => row.name))
}

async function describeTables(
  postgres: Postgres,
  tables: readonly string[],
): Promise<Map<string, { file: string; bytes: number }>> {
  const rows = await postgres.query<{ name: string; file: string; bytes: string }>(
    'describe_tables',
    `SELECT name, pg_relation_filenode(name::regclass)::text AS file, pg_relation_size(name::regclass)::text AS bytes
     FROM unnest($1::text[]) AS name`,
    [tables],
  )
  return new Map(rows.map(({ name, file, bytes }) => [name, { file, bytes: Number(bytes) }]))
}
