import type { Postgres } from './client.ts'

/**
 * Writes down that an officer released a hold, so that another run of the saga knows. The hold stands until the saga ends it: by
 * then a certificate may still name it.
 */
export async function noteRelease(postgres: Postgres, requestId: string, holdId: string): Promise<void> {
  await postgres.query(
    'note_release',
    `UPDATE privacy_requests
     SET progress = jsonb_set(progress, '{released}', COALESCE(progress->'released', '[]') || to_jsonb($2::text))
     WHERE request_id = $1 AND NOT COALESCE(progress->'released', '[]') @> to_jsonb($2::text)`,
    [requestId, holdId],
  )
}
