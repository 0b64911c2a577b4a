import { parseCanonicalJson } from '../../certificates/canonical-json.ts'
import { parseCertificate } from '../../certificates/read-certificate.ts'
import type { Postgres } from '../../postgres/client.ts'
import type { Certificate, CertificateKind, Receipt } from '../../schemas/certificate.ts'

/** A statement that the log holds. */
export interface LoggedStatement {
  digest: string
  requestId: string | null
  kind: CertificateKind
  logIndex: number
  superseded: boolean
}

interface Row {
  digest: string
  request_id: string | null
  kind: CertificateKind
  log_index: string
  superseded: boolean
}

function fromRow(row: Row): LoggedStatement {
  return {
    digest: row.digest,
    requestId: row.request_id,
    kind: row.kind,
    logIndex: Number(row.log_index),
    superseded: row.superseded,
  }
}

const COLUMNS = 'digest, request_id, kind, log_index, superseded'

/** What the log says of these requests, in its order. */
export async function readStatements(
  postgres: Postgres,
  requestIds: readonly string[],
): Promise<LoggedStatement[]> {
  const rows = await postgres.query<Row>(
    'read_statements',
    `SELECT ${COLUMNS} FROM certificates WHERE request_id = ANY($1::uuid[]) ORDER BY log_index`,
    [requestIds],
  )
  return rows.map(fromRow)
}

/** The file of a statement. */
export async function readStatementFile(postgres: Postgres, digest: string): Promise<Buffer | undefined> {
  const rows = await postgres.query<{ file: Buffer }>(
    'read_statement_file',
    'SELECT file FROM certificates WHERE digest = $1',
    [digest],
  )
  return rows[0]?.file
}

/** What a statement says; undefined where there is none. */
export async function readCertificate(
  postgres: Postgres,
  logged: LoggedStatement | undefined,
): Promise<Certificate | undefined> {
  const bytes = logged && (await readStatementFile(postgres, logged.digest))
  return bytes && parseCertificate(parseCanonicalJson(bytes))
}

/** Names of the stores of which a certificate says this. */
export function storesWith(wanted: Receipt['outcome'], certificate: Certificate | undefined): string[] {
  if (!certificate || !('receipts' in certificate)) return []
  return certificate.receipts.flatMap(({ outcome, store }) => (outcome === wanted ? store : []))
}

/** Index and digest of every statement in the table, in the log's order. */
export async function listLogged(postgres: Postgres): Promise<{ index: number; digest: string }[]> {
  const rows = await postgres.query<{ log_index: string; digest: string }>(
    'list_logged',
    'SELECT log_index, digest FROM certificates ORDER BY log_index',
    [],
  )
  return rows.map((row) => ({ index: Number(row.log_index), digest: row.digest }))
}

export interface StatementToStore {
  certificate: Certificate
  bytes: Buffer
  digest: string
  logIndex: number
  proof: string
}

/** Adds statements to the table, which follows the log: one that is there stays as it is. */
export async function storeStatements(
  postgres: Postgres,
  statements: readonly StatementToStore[],
): Promise<void> {
  if (statements.length === 0) return
  await postgres.query(
    'store_statements',
    `INSERT INTO certificates (digest, request_id, kind, file, proof, log_index, issued_at)
     SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::bigint[], $7::timestamptz[])
     ON CONFLICT (digest) DO NOTHING`,
    [
      statements.map((one) => one.digest),
      statements.map(({ certificate }) => ('request' in certificate ? certificate.request : null)),
      statements.map(({ certificate }) => certificate.kind),
      statements.map((one) => one.bytes),
      statements.map((one) => one.proof),
      statements.map((one) => one.logIndex),
      statements.map(({ certificate }) => certificate.issuedAt),
    ],
  )
  const withdrawn = statements.flatMap(({ certificate }) =>
    certificate.kind === 'supersession' ? certificate.supersedes : [],
  )
  if (withdrawn.length === 0) return
  await postgres.query(
    'mark_superseded',
    'UPDATE certificates SET superseded = true WHERE digest = ANY($1::text[])',
    [withdrawn],
  )
}
