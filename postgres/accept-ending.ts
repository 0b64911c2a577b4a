import type { AcceptedEnding } from '../schemas/erasure.ts'
import type { Postgres } from './client.ts'

/**
 * Writes down how an officer ends a request; of two, the first one stands. An attempt of a terminated run may come late, when the
 * next run is past the journal: it writes nothing.
 * @returns the ending that stands, or null when nothing can be taken back any more
 */
export async function acceptEnding(
  postgres: Postgres,
  requestId: string,
  ending: AcceptedEnding,
): Promise<AcceptedEnding | null> {
  const [row] = await postgres.query<{ accepted: AcceptedEnding }>(
    'accept_ending',
    `UPDATE privacy_requests SET progress = jsonb_build_object('accepted', $2::jsonb) || progress
     WHERE request_id = $1 AND state IN ('received', 'blocked') RETURNING progress->'accepted' AS accepted`,
    [requestId, JSON.stringify(ending)],
  )
  return row?.accepted ?? null
}
