import type { Postgres } from '../../postgres/client.ts'
import { EbbError } from '../../runtime/errors.ts'
import { type Findings, namesOf, type Sought } from './findings.ts'
import type { OpenRequest } from './observation.ts'

const STORE = 'postgres/vault'

interface NamingColumn {
  table: string
  column: string
  kind: 'subjectIds' | 'handles'
}

/**
 * Looks into every table that names people, by subject id or by handle, as the server's own catalog lists them, and into
 * the planner's samples of those columns.
 */
export async function lookIntoPostgres(
  postgres: Postgres,
  requests: readonly OpenRequest[],
  sought: readonly Sought[],
  findings: Findings,
): Promise<void> {
  const columns = await namingColumns(postgres)
  for (const needed of ['subjects', 'subject_links', 'users_pii', 'users_public', 'contacts']) {
    if (!columns.some(({ table }) => table === needed)) {
      throw new EbbError('store_unreadable', `table ${needed} cannot be looked into`)
    }
  }
  for (const one of columns) {
    if (one.table === 'subjects' && one.kind === 'handles') {
      await lookForHandles(postgres, requests, sought, findings)
    } else {
      await countNames(postgres, one, namesOf(sought, one.kind), findings)
    }
  }
  await searchSamples(postgres, columns, sought, findings)
}

async function namingColumns(postgres: Postgres): Promise<NamingColumn[]> {
  const rows = await postgres.query<{ table: string; column: string; type: string }>(
    'verifier_columns',
    // information_schema hides tables that a role may not read; here they are seen, and a look that is refused certifies nothing.
    `SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
       AND ((a.atttypid = 'uuid'::regtype AND a.attname ~ '(^|_)subject(_id)?$')
         OR (a.atttypid = 'bytea'::regtype AND a.attname ~ '(^|_)handle$'))
     ORDER BY 1, 2`,
    [],
  )
  return rows.map(({ table, column, type }) => ({
    table,
    column,
    kind: type === 'uuid' ? 'subjectIds' : 'handles',
  }))
}

async function countNames(
  postgres: Postgres,
  { table, column, kind }: NamingColumn,
  names: readonly string[],
  findings: Findings,
): Promise<void> {
  const [text, type] = kind === 'subjectIds' ? ['::text', 'uuid'] : ['', 'bytea']
  const named = kind === 'subjectIds' ? `"${column}"${text}` : `encode("${column}", 'hex')`
  const values = kind === 'subjectIds' ? names : names.map((name) => Buffer.from(name, 'hex'))
  const rows = await postgres.query<{ name: string; rows: number }>(
    `verifier_${table}_${column}`,
    `SELECT ${named} AS name, count(*)::int AS rows FROM "${table}" WHERE "${column}" = ANY($1::${type}[])
     GROUP BY 1`,
    [values],
  )
  for (const row of rows) findings.addFor(kind, row.name, STORE, row.rows)
}

/**
 * A handle may come back once the block is lifted: somebody who returns is a new subject under the same handle. Until then
 * nobody may bear it; afterwards only somebody who came later.
 */
async function lookForHandles(
  postgres: Postgres,
  requests: readonly OpenRequest[],
  sought: readonly Sought[],
  findings: Findings,
): Promise<void> {
  const rows = await postgres.query<{ handle: string; created_at: Date }>(
    'verifier_subject_handles',
    `SELECT encode(handle, 'hex') AS handle, created_at FROM subjects WHERE handle = ANY($1::bytea[])`,
    [namesOf(sought, 'handles').map((handle) => Buffer.from(handle, 'hex'))],
  )
  if (rows.length === 0) return
  const liftedAt = new Map(requests.map((one) => [one.requestId, one.liftedAt]))
  for (const one of sought) {
    const until = liftedAt.get(one.requestId)
    const left = rows.filter((row) => one.handles.has(row.handle) && (!until || row.created_at <= until))
    findings.add(one.requestId, STORE, left.length)
  }
}

/** pg_statistic keeps samples of values until a table is analysed again. */
async function searchSamples(
  postgres: Postgres,
  columns: readonly NamingColumn[],
  sought: readonly Sought[],
  findings: Findings,
): Promise<void> {
  const rows = await postgres.query<{ table: string; column: string; sample: string }>(
    'verifier_samples',
    `SELECT tablename AS table, attname AS column,
       concat(most_common_vals::text, ' ', histogram_bounds::text) AS sample
     FROM pg_stats WHERE schemaname = 'public' AND tablename = ANY($1::text[])`,
    [[...new Set(columns.map((one) => one.table))]],
  )
  for (const one of columns) {
    const sample = rows.find((row) => row.table === one.table && row.column === one.column)?.sample ?? ''
    if (sample.trim() === '') continue
    for (const name of namesOf(sought, one.kind)) {
      if (!sample.includes(name)) continue
      if (one.table === 'subjects' && one.kind === 'handles') continue
      findings.addFor(one.kind, name, STORE, 1)
    }
  }
}
