import { EbbError } from '../runtime/errors.ts'
import type { ProofOfIdentity, RequestState } from '../schemas/erasure.ts'
import type { Postgres } from './client.ts'

export {
  idBytes,
  observedContext,
  type RequestDeps,
  readObservedIds,
  readSealed,
  readSealedMany,
  sealContent,
  writeSealed,
} from './sealed-requests.ts'
export {
  contactsOf,
  handlesOf,
  LATE_LINK,
  type SubmitDeps,
  type Submitted,
  submitErasure,
  submitHandle,
} from './submit-erasure.ts'

export type PrivacyRequestErrorCode = 'app_unknown' | 'identifier_invalid' | 'request_unknown'

export interface PrivacyRequest {
  requestId: string
  app: string
  state: RequestState
  proof: ProofOfIdentity
  requestedBy: string
  receivedAt: Date
  graceUntil: Date
  dueAt: Date
  blockedAt: Date | null
  certifiedAt: Date | null
  closedAt: Date | null
  /** Store that the saga waits for. */
  stuckStore: string | null
  /** Of a refusal. */
  article: string | null
  /** What the request remembers of its own way: offsets of the block, times, horizons, how an officer or a saga ends it. */
  progress: Record<string, unknown>
}

interface RequestRow {
  request_id: string
  app: string
  state: RequestState
  proof: ProofOfIdentity
  requested_by: string
  received_at: Date
  grace_until: Date
  due_at: Date
  blocked_at: Date | null
  certified_at: Date | null
  closed_at: Date | null
  stuck_store: string | null
  article: string | null
  progress: Record<string, unknown>
}

const COLUMNS = `request_id, app, state, proof, requested_by, received_at, grace_until, due_at, blocked_at,
  certified_at, closed_at, stuck_store, article, progress`

/** The open part of a request. @throws EbbError `request_unknown` */
export async function readRequest(postgres: Postgres, requestId: string): Promise<PrivacyRequest> {
  const rows = await postgres.query<RequestRow>(
    'read_request',
    `SELECT ${COLUMNS} FROM privacy_requests WHERE request_id = $1`,
    [requestId],
  )
  if (!rows[0]) throw new EbbError('request_unknown', 'no request of this id')
  return fromRow(rows[0])
}

export interface RequestFilter {
  /** Apps; undefined is all of them. */
  apps?: readonly string[]
  states?: readonly RequestState[]
  /** Requests received at this moment or later. */
  since?: Date
  /** Requests received before this moment: pages go backwards in time. */
  before?: Date
  /** Default 100. */
  limit?: number
}

/** Requests, newest first. */
export async function listRequests(
  postgres: Postgres,
  filter: RequestFilter = {},
): Promise<PrivacyRequest[]> {
  const rows = await postgres.query<RequestRow>(
    'list_requests',
    `SELECT ${COLUMNS} FROM privacy_requests
     WHERE ($1::text[] IS NULL OR app = ANY($1)) AND ($2::text[] IS NULL OR state = ANY($2))
       AND ($3::timestamptz IS NULL OR received_at < $3) AND ($5::timestamptz IS NULL OR received_at >= $5)
     ORDER BY received_at DESC, request_id LIMIT $4`,
    [
      filter.apps ?? null,
      filter.states ?? null,
      filter.before ?? null,
      filter.limit ?? 100,
      filter.since ?? null,
    ],
  )
  return rows.map(fromRow)
}

function fromRow(row: RequestRow): PrivacyRequest {
  return {
    requestId: row.request_id,
    app: row.app,
    state: row.state,
    proof: row.proof,
    requestedBy: row.requested_by,
    receivedAt: row.received_at,
    graceUntil: row.grace_until,
    dueAt: row.due_at,
    blockedAt: row.blocked_at,
    certifiedAt: row.certified_at,
    closedAt: row.closed_at,
    stuckStore: row.stuck_store,
    article: row.article,
    progress: row.progress,
  }
}

/**
 * Moves a request to a state; repeating it changes nothing, and a request that has ended stays as it ended. One that is past the
 * journal never is merely `blocked` again: a saga that is started again learns so that nothing can be taken back. From the
 * first certificate on, the same person may ask anew: no duplicate joins any more.
 * @returns whether the request is in that state now
 */
export async function setState(
  postgres: Postgres,
  requestId: string,
  state: RequestState,
  detail: { store?: string | undefined; article?: string | undefined } = {},
): Promise<boolean> {
  const rows = await postgres.query(
    'set_request_state',
    `UPDATE privacy_requests SET
       state = $2::text, stuck_store = $3, article = COALESCE($4, article),
       blocked_at = CASE WHEN $2 = 'blocked' THEN COALESCE(blocked_at, now()) ELSE blocked_at END,
       certified_at = CASE WHEN $2 IN ('certified', 'held') THEN COALESCE(certified_at, now()) ELSE certified_at END,
       closed_at = CASE WHEN $2 IN ('closed', 'cancelled', 'refused') THEN COALESCE(closed_at, now()) ELSE closed_at END,
       blinds = CASE WHEN $2 IN ('certified', 'held', 'closed', 'cancelled', 'refused') THEN '{}' ELSE blinds END
     WHERE request_id = $1 AND state NOT IN ('closed', 'cancelled', 'refused')
       AND ($2 <> 'blocked' OR state IN ('received', 'blocked'))
     RETURNING 1`,
    [requestId, state, detail.store ?? null, detail.article ?? null],
  )
  return rows.length > 0
}

/** Adds to what the request remembers of its own way; never an identifier, a handle or a token. */
export function addProgress(
  postgres: Postgres,
  requestId: string,
  more: Record<string, unknown>,
): Promise<void> {
  return addProgressToAll(postgres, [requestId], more)
}

/** The same of many requests. */
export async function addProgressToAll(
  postgres: Postgres,
  requestIds: readonly string[],
  more: Record<string, unknown>,
): Promise<void> {
  await postgres.query(
    'add_request_progress',
    'UPDATE privacy_requests SET progress = progress || $2::jsonb WHERE request_id = ANY($1::uuid[])',
    [requestIds, JSON.stringify(more)],
  )
}
