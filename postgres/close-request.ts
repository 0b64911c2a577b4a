import type { RequestEnding } from '../schemas/erasure.ts'
import type { Postgres } from './client.ts'

/** The sealed parts go; nobody can join the request any more. Its state stays until its key is destroyed, too. */
export async function forgetSealed(postgres: Postgres, requestId: string): Promise<void> {
  await postgres.query(
    'forget_sealed',
    `UPDATE privacy_requests SET sealed = NULL, observed = NULL, blinds = '{}' WHERE request_id = $1`,
    [requestId],
  )
}

/** Whether the sealed parts are gone: whoever began to end the request must end it. */
export async function isForgotten(postgres: Postgres, requestId: string): Promise<boolean> {
  const rows = await postgres.query(
    'is_forgotten',
    'SELECT 1 FROM privacy_requests WHERE request_id = $1 AND sealed IS NULL',
    [requestId],
  )
  return rows.length > 0
}

/**
 * Ends a request: its sealed parts, and what would let a duplicate join it, go in one statement with the state. An earlier
 * ending stays. @param ending default: closed
 */
export async function closeRow(
  postgres: Postgres,
  requestId: string,
  ending: RequestEnding = { outcome: 'closed' },
): Promise<void> {
  await postgres.query(
    'close_request',
    `UPDATE privacy_requests
     SET state = $2, article = COALESCE($3, article), closed_at = now(), stuck_store = NULL, blinds = '{}',
       sealed = NULL, observed = NULL
     WHERE request_id = $1 AND state NOT IN ('closed', 'cancelled', 'refused')`,
    [requestId, ending.outcome, ending.article ?? null],
  )
}
