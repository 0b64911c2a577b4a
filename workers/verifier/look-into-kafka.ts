import type { IngestProgress } from '../../kafka/read-ingest-progress.ts'
import type { Postgres } from '../../postgres/client.ts'
import type { HasEventsBefore } from './events-kept.ts'
import { type Findings, namesOf, type Sought } from './findings.ts'

const STORE = 'kafka/events'

export interface RevocationsRead {
  readToHead(signal: AbortSignal): Promise<number>
  isRevoked(token: Buffer, rev: number): boolean
}

export interface KafkaLook {
  postgres: Postgres
  revocations: RevocationsRead
  readIngestProgress(): Promise<IngestProgress[]>
  hasEventsBefore: HasEventsBefore
}

const READ_MS = 30_000

/**
 * Every token must be revoked for every ingest partition, as far as it has committed: else a record that Kafka still has,
 * or a replay from its beginning, would bring rows back. Once no record of before the first certificate is left, there is
 * nothing to bring back, and the token may have been withdrawn.
 */
export async function lookIntoKafka(
  deps: KafkaLook,
  sought: readonly Sought[],
  findings: Findings,
): Promise<void> {
  const progress = await deps.readIngestProgress()
  await deps.revocations.readToHead(AbortSignal.timeout(READ_MS))
  const rev = Math.min(...progress.map(({ metadata }) => metadata?.rev ?? 0))
  const open = new Set(
    namesOf(sought, 'tokens').filter((token) => !deps.revocations.isRevoked(Buffer.from(token, 'hex'), rev)),
  )
  const seekers = sought.filter(({ tokens }) => [...tokens].some((token) => open.has(token)))
  const certified = await firstCertificates(deps.postgres, seekers)
  await Promise.all(
    seekers.map(async ({ requestId, tokens }) => {
      const certifiedMs = certified.get(requestId)
      if (certifiedMs !== undefined && !(await deps.hasEventsBefore(certifiedMs))) return
      findings.add(requestId, STORE, [...tokens].filter((token) => open.has(token)).length)
    }),
  )
}

/** When each of these got its first certificate, milliseconds since 1970; those without are missing. */
async function firstCertificates(
  postgres: Postgres,
  sought: readonly Sought[],
): Promise<Map<string, number>> {
  if (sought.length === 0) return new Map()
  const rows = await postgres.query<{ request_id: string; issued_at: Date }>(
    'verifier_first_certificates',
    `SELECT request_id, min(issued_at) AS issued_at FROM certificates
     WHERE request_id = ANY($1::uuid[]) AND kind = 'certificate' GROUP BY request_id`,
    [sought.map(({ requestId }) => requestId)],
  )
  return new Map(rows.map((row) => [row.request_id, row.issued_at.getTime()]))
}
