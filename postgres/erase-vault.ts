import { isLeftOut } from '../runtime/left-out-purge.ts'
import { type Postgres, PostgresRefusal } from './client.ts'
import { waitForReaders } from './wait-for-readers.ts'

/** Above this a rewrite would stop the table's readers for too long; the pages then wait for later rows to overwrite them. */
const LARGEST_REWRITE_BYTES = 256 * 1024 * 1024
const READERS_LIMIT_MS = 30_000

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

/**
 * Writes a table's live rows into a new file and drops the old one; statistics are taken anew, and the catalogue that held the
 * old ones is rewritten too. A table beyond 256 MB is only vacuumed.
 * @returns names of the table's file before and after.
 */
export async function rewriteTable(
  postgres: Postgres,
  table: string,
): Promise<{ before: string; after: string }> {
  const before = await describeTable(postgres, table)
  if (isLeftOut('vault-rewrite')) return { before: before.file, after: before.file }
  const full = before.bytes <= LARGEST_REWRITE_BYTES
  await waitForReaders(postgres, READERS_LIMIT_MS)
  await postgres.query(`rewrite_${table}`, `VACUUM (${full ? 'FULL, ' : ''}ANALYZE) ${table}`, [])
  try {
    await postgres.query('rewrite_statistics', 'VACUUM FULL pg_catalog.pg_statistic', [])
  } catch (error) {
    // Another rewrite of the catalogue holds it at this moment; that one does our work.
    if (!(error instanceof PostgresRefusal)) throw error
  }
  return { before: before.file, after: (await describeTable(postgres, table)).file }
}

async function describeTable(postgres: Postgres, table: string): Promise<{ file: string; bytes: number }> {
  const rows = await postgres.query<{ file: string; bytes: string }>(
    'describe_table',
    'SELECT pg_relation_filenode($1::regclass)::text AS file, pg_relation_size($1::regclass)::text AS bytes',
    [table],
  )
  return { file: rows[0]!.file, bytes: Number(rows[0]!.bytes) }
}
