import type { Postgres } from './client.ts'

export interface StoredCertificate {
  digest: string
  requestId: string
  kind: string
  logIndex: number
  issuedAt: Date
  superseded: boolean
}

interface CertificateRow {
  digest: string
  request_id: string
  kind: string
  log_index: string
  issued_at: Date
  superseded: boolean
}

/** What was issued about a request, oldest first. */
export async function listCertificates(postgres: Postgres, requestId: string): Promise<StoredCertificate[]> {
  const rows = await postgres.query<CertificateRow>(
    'list_certificates',
    `SELECT digest, request_id, kind, log_index, issued_at, superseded FROM certificates
     WHERE request_id = $1 ORDER BY log_index`,
    [requestId],
  )
  return rows.map((row) => ({
    digest: row.digest,
    requestId: row.request_id,
    kind: row.kind,
    logIndex: Number(row.log_index),
    issuedAt: row.issued_at,
    superseded: row.superseded,
  }))
}

/** The signed file and its proof, byte for byte. */
export async function readCertificateFile(
  postgres: Postgres,
  requestId: string,
  digest: string,
): Promise<{ file: Buffer; proof: string } | undefined> {
  const rows = await postgres.query<{ file: Buffer; proof: string }>(
    'read_certificate_file',
    'SELECT file, proof FROM certificates WHERE request_id = $1 AND digest = $2',
    [requestId, digest],
  )
  return rows[0]
}
