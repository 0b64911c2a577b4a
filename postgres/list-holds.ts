import type { Postgres } from './client.ts'

export interface StoredHold {
  holdId: string
  /** Names of vault fields. */
  fields: string[]
  article: string
  until: Date
  placedAt: Date
  /** When it ended. */
  releasedAt: Date | null
  /** It has ended, or an officer released it and it ends with a later step of the saga. */
  released: boolean
}

interface HoldRow {
  hold_id: string
  fields: string[]
  article: string
  until: Date
  placed_at: Date
  released_at: Date | null
  is_noted: boolean
}

/** The legal holds on a request, released ones too, oldest first. */
export async function listHolds(postgres: Postgres, requestId: string): Promise<StoredHold[]> {
  const rows = await postgres.query<HoldRow>(
    'list_holds',
    `SELECT hold_id, fields, hold.article, until, placed_at, released_at,
            COALESCE(progress->'released', '[]') @> to_jsonb(hold_id::text) AS is_noted
     FROM legal_holds hold JOIN privacy_requests USING (request_id)
     WHERE request_id = $1 ORDER BY placed_at, hold_id`,
    [requestId],
  )
  return rows.map((row) => ({
    holdId: row.hold_id,
    fields: row.fields,
    article: row.article,
    until: row.until,
    placedAt: row.placed_at,
    releasedAt: row.released_at,
    released: row.is_noted || row.released_at !== null,
  }))
}
