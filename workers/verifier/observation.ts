import type { Postgres } from '../../postgres/client.ts'
import { idBytes, LATE_LINK, observedContext } from '../../postgres/privacy-requests.ts'
import { seal, unseal } from '../../postgres/seal.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { SealedErasure } from '../../schemas/erasure.ts'
import type { FoundSecret, KeyringReader, SecretPlace } from './read-keyring.ts'

export interface ObservedSubject extends SecretPlace {
  subjectId: string
  /** 16 bytes, hex. */
  token: string
}

/** What the verifier has seen of a person by itself; sealed under the request key in `privacy_requests.observed`. */
export interface Observation {
  /** Handles that the request names and that subjects of the closure bear; 32 bytes, hex. */
  handles: string[]
  subjects: ObservedSubject[]
  /** Subjects that were seen without a secret: what bore their token cannot be looked for. */
  keyless: string[]
  /** `YYYY-MM-DD` on which there were rows of theirs: what must be counted again. */
  days: string[]
}

/** An open request as the verifier reads it. */
export interface OpenRequest {
  requestId: string
  app: string
  receivedAt: Date
  dueAt: Date
  blockedAt: Date | null
  /**
   * Who comes under the person's ids after it is somebody else: nobody could before. Null as long as the verifier's own log has no
   * certificate, whatever the erasers say of the block.
   */
  liftedAt: Date | null
  progress: {
    block?: { rev: number; atMs: number }
    cutoff?: { atMs: number; untilMs: number }
    withdrawn?: { atMs: number }
  }
  sealed: SealedErasure
  observed: Observation | undefined
  /** Nobody asked for it, a late link brought it up: what stands for its identifier is a handle (hex), the id itself is not known. */
  namesHandle: boolean
  /** The request key. */
  key: Buffer
}

interface Row {
  request_id: string
  app: string
  received_at: Date
  due_at: Date
  blocked_at: Date | null
  requested_by: string
  certified: boolean
  progress: OpenRequest['progress']
  sealed: Buffer
  observed: Buffer | null
}

/** Opens requests by id; those that are closed or unknown are missing from the map. */
export async function readOpenRequests(
  deps: { postgres: Postgres; keyring: KeyringReader },
  requestIds: readonly string[],
): Promise<Map<string, OpenRequest>> {
  const rows = await deps.postgres.query<Row>(
    'verifier_requests',
    `SELECT request_id, app, received_at, due_at, blocked_at, requested_by, progress, sealed, observed,
       EXISTS (SELECT FROM certificates c WHERE c.request_id = r.request_id AND c.kind = 'certificate') AS certified
     FROM privacy_requests r WHERE request_id = ANY($1::uuid[]) AND sealed IS NOT NULL`,
    [requestIds],
  )
  const keys = await deps.keyring.secrets(rows.map((row) => row.request_id))
  const opened = new Map<string, OpenRequest>()
  for (const row of rows) {
    const key = keys.get(row.request_id)
    if (key) opened.set(row.request_id, openRequest(row, key))
  }
  return opened
}

/** @throws EbbError `request_unknown` */
export async function readOpenRequest(
  deps: { postgres: Postgres; keyring: KeyringReader },
  requestId: string,
): Promise<OpenRequest> {
  const request = (await readOpenRequests(deps, [requestId])).get(requestId)
  if (!request) throw new EbbError('request_unknown', 'no open request of this id')
  return request
}

function openRequest(row: Row, { secret }: FoundSecret): OpenRequest {
  const context = idBytes(row.request_id)
  return {
    requestId: row.request_id,
    app: row.app,
    receivedAt: row.received_at,
    dueAt: row.due_at,
    blockedAt: row.blocked_at,
    liftedAt: row.certified && row.progress.cutoff ? new Date(row.progress.cutoff.atMs) : null,
    progress: row.progress,
    sealed: JSON.parse(unseal(secret, row.sealed, context).toString()) as SealedErasure,
    observed: row.observed
      ? (JSON.parse(unseal(secret, row.observed, observedContext(row.request_id)).toString()) as Observation)
      : undefined,
    namesHandle: row.requested_by === LATE_LINK,
    key: secret,
  }
}

/** Adds to what was observed; nothing that was seen once is forgotten. */
export async function writeObservation(
  postgres: Postgres,
  { requestId, key }: OpenRequest,
  observation: Observation,
): Promise<void> {
  const sealed = seal(key, Buffer.from(JSON.stringify(observation)), observedContext(requestId))
  await postgres.query('write_observed', 'UPDATE privacy_requests SET observed = $2 WHERE request_id = $1', [
    requestId,
    sealed,
  ])
}
