import type { RequestState } from '../schemas/erasure.ts'
import type { GdprMonth } from '../schemas/privacy-api.ts'
import type { Postgres } from './client.ts'

interface Scope {
  /** First moment, and the first after the end. */
  from: Date
  to: Date
  /** null: all of them. */
  apps: string[] | null
}

/**
 * The month as the law asks for it: what came, what became of it, how long it took. Counts, ids of requests and of log
 * entries; nothing in it names a person.
 * @param month `YYYY-MM`, UTC
 */
export async function readGdprMonth(
  postgres: Postgres,
  { month, apps, now }: { month: string; apps: string[] | null; now: Date },
): Promise<GdprMonth> {
  const from = new Date(`${month}-01T00:00:00Z`)
  const to = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1, 1))
  const scope = { from, to, apps }
  const [totals, states, certificates, refusals] = await Promise.all([
    readTotals(postgres, scope, now),
    readStates(postgres, scope),
    readIssued(postgres, scope),
    readRefusals(postgres, scope),
  ])
  return { month, apps, ...totals, states, certificates, refusals }
}

type Totals = Omit<GdprMonth, 'month' | 'apps' | 'states' | 'certificates' | 'refusals'>

/** Answered: certified, or ended without. */
const ANSWERED = `COALESCE(certified_at, CASE WHEN state IN ('refused', 'cancelled') THEN closed_at END)`

async function readTotals(postgres: Postgres, { from, to, apps }: Scope, now: Date): Promise<Totals> {
  interface TotalsRow {
    received: number
    processed: number
    partial: number
    overdue: number
    carried_over: number
    average_ms: number | null
    worst_ms: number | null
    erased_subjects: number
  }
  const [row] = await postgres.query<TotalsRow & Record<string, unknown>>(
    'gdpr_totals',
    `WITH request AS (
       SELECT received_at, due_at, state, certified_at, progress, ${ANSWERED} AS answered_at, received_at >= $1 AS of_month,
         EXISTS (SELECT FROM certificates c WHERE c.request_id = r.request_id AND c.kind = 'partial' AND NOT c.superseded)
           AS is_partial
       FROM privacy_requests r WHERE received_at < $2 AND ($3::text[] IS NULL OR app = ANY($3))
     )
     SELECT count(*) FILTER (WHERE of_month)::int AS received,
       count(answered_at) FILTER (WHERE of_month)::int AS processed,
       count(*) FILTER (WHERE of_month AND answered_at IS NULL AND is_partial)::int AS partial,
       count(*) FILTER (WHERE of_month AND COALESCE(answered_at, $4) > due_at)::int AS overdue,
       count(*) FILTER (WHERE NOT of_month AND (answered_at IS NULL OR answered_at >= $1))::int AS carried_over,
       round(1000 * extract(epoch FROM avg(answered_at - received_at) FILTER (WHERE of_month AND state <> 'cancelled')))::float8
         AS average_ms,
       round(1000 * extract(epoch FROM max(answered_at - received_at) FILTER (WHERE of_month AND state <> 'cancelled')))::float8
         AS worst_ms,
       COALESCE(sum((progress->>'subjects')::int) FILTER (WHERE of_month AND certified_at IS NOT NULL), 0)::int
         AS erased_subjects
     FROM request`,
    [from, to, apps, now],
  )
  return {
    received: row!.received,
    processed: row!.processed,
    pending: row!.received - row!.processed,
    partial: row!.partial,
    overdue: row!.overdue,
    carriedOver: row!.carried_over,
    averageProcessingMs: row!.average_ms,
    worstProcessingMs: row!.worst_ms,
    erasedSubjects: row!.erased_subjects,
  }
}

async function readStates(postgres: Postgres, { from, to, apps }: Scope): Promise<GdprMonth['states']> {
  return await postgres.query<{ kind: string; state: RequestState; requests: number }>(
    'gdpr_states',
    `SELECT kind, state, count(*)::int AS requests FROM privacy_requests
     WHERE received_at >= $1 AND received_at < $2 AND ($3::text[] IS NULL OR app = ANY($3))
     GROUP BY kind, state ORDER BY kind, state`,
    [from, to, apps],
  )
}

async function readIssued(postgres: Postgres, { from, to, apps }: Scope): Promise<GdprMonth['certificates']> {
  interface IssuedRow {
    request_id: string
    kind: string
    digest: string
    log_index: string
    issued_at: Date
    superseded: boolean
  }
  const rows = await postgres.query<IssuedRow & Record<string, unknown>>(
    'gdpr_certificates',
    `SELECT request_id, certificates.kind, digest, log_index, issued_at, superseded
     FROM certificates JOIN privacy_requests USING (request_id)
     WHERE issued_at >= $1 AND issued_at < $2 AND ($3::text[] IS NULL OR app = ANY($3))
       AND certificates.kind <> 'received'
     ORDER BY log_index`,
    [from, to, apps],
  )
  return rows.map((row) => ({
    requestId: row.request_id,
    kind: row.kind,
    digest: row.digest,
    logIndex: Number(row.log_index),
    issuedAt: row.issued_at.toISOString(),
    superseded: row.superseded,
  }))
}

async function readRefusals(postgres: Postgres, { from, to, apps }: Scope): Promise<GdprMonth['refusals']> {
  return await postgres.query<{ article: string; requests: number }>(
    'gdpr_refusals',
    `SELECT COALESCE(article, 'not given') AS article, count(*)::int AS requests FROM privacy_requests
     WHERE state = 'refused' AND closed_at >= $1 AND closed_at < $2 AND ($3::text[] IS NULL OR app = ANY($3))
     GROUP BY 1 ORDER BY 1`,
    [from, to, apps],
  )
}
