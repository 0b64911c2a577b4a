import { EbbError } from '../runtime/errors.ts'
import type { AcceptedEnding } from '../schemas/erasure.ts'
import type { Postgres } from './client.ts'

/** Writes down how an officer ends a request; of two, the first one stands. @returns the one that stands */
export async function acceptEnding(
  postgres: Postgres,
  requestId: string,
  ending: AcceptedEnding,
): Promise<AcceptedEnding> {
  const [row] = await postgres.query<{ accepted: AcceptedEnding }>(
    'accept_ending',
    `UPDATE privacy_requests SET progress = jsonb_build_object('accepted', $2::jsonb) || progress
     WHERE request_id = $1 RETURNING progress->'accepted' AS accepted`,
    [requestId, JSON.stringify(ending)],
  )
  if (!row) throw new EbbError('request_unknown', 'no such request')
  return row.accepted
}
