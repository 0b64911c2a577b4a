import type { PlacedHold } from '../schemas/erasure-messages.ts'
import type { Postgres, TransactingPostgres } from './client.ts'
import { seal, unseal } from './seal.ts'
import { idBytes } from './sealed-requests.ts'

/**
 * Notes a hold. The same one asked for again, by who heard no answer, is the one that stands: released once, it is released.
 * @returns the id of the hold that stands
 */
export async function createHold(
  postgres: TransactingPostgres,
  requestId: string,
  { holdId, fields, article, untilMs, placedBy }: PlacedHold,
): Promise<{ holdId: string }> {
  const until = new Date(untilMs)
  return await postgres.transaction(async (within) => {
    // Who asks at the same time waits, and then sees it.
    await within.query('lock_request', 'SELECT FROM privacy_requests WHERE request_id = $1 FOR UPDATE', [
      requestId,
    ])
    const [same] = await within.query<{ hold_id: string }>(
      'read_same_hold',
      `SELECT hold_id FROM legal_holds
       WHERE request_id = $1 AND fields = $2 AND article = $3 AND until = $4 AND released_at IS NULL`,
      [requestId, fields, article, until],
    )
    if (same) return { holdId: same.hold_id }
    await within.query(
      'create_hold',
      `INSERT INTO legal_holds (hold_id, request_id, fields, article, until, placed_by)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
      [holdId, requestId, fields, article, until, placedBy],
    )
    return { holdId }
  })
}

export interface StandingHold {
  holdId: string
  fields: string[]
  untilMs: number
  isSealed: boolean
}

/** Holds of a request that stand. */
export async function readStandingHolds(postgres: Postgres, requestId: string): Promise<StandingHold[]> {
  const rows = await postgres.query<{ hold_id: string; fields: string[]; until: Date; is_sealed: boolean }>(
    'read_standing_holds',
    `SELECT hold_id, fields, until, sealed IS NOT NULL AS is_sealed FROM legal_holds
     WHERE request_id = $1 AND released_at IS NULL ORDER BY placed_at, hold_id`,
    [requestId],
  )
  return rows.map((row) => ({
    holdId: row.hold_id,
    fields: row.fields,
    untilMs: row.until.getTime(),
    isSealed: row.is_sealed,
  }))
}

/** Held values of one person, by field. */
export type HeldFields = Record<string, string>

/** Keeps held fields, one entry a subject, under the hold's key; nothing in it says which subject had them. */
export async function sealHold(
  postgres: Postgres,
  hold: { holdId: string; key: Buffer },
  held: readonly HeldFields[],
): Promise<void> {
  await postgres.query(
    'seal_hold',
    'UPDATE legal_holds SET sealed = $2 WHERE hold_id = $1 AND sealed IS NULL AND released_at IS NULL',
    [hold.holdId, seal(hold.key, Buffer.from(JSON.stringify(held)), idBytes(hold.holdId))],
  )
}

/** What is held, for whom the law lets see it; null where nothing is sealed (any more). */
export async function openHold(
  postgres: Postgres,
  hold: { holdId: string; key: Buffer },
): Promise<HeldFields[] | null> {
  const rows = await postgres.query<{ sealed: Buffer | null }>(
    'open_hold',
    'SELECT sealed FROM legal_holds WHERE hold_id = $1',
    [hold.holdId],
  )
  const sealed = rows[0]?.sealed
  return sealed
    ? (JSON.parse(unseal(hold.key, sealed, idBytes(hold.holdId)).toString()) as HeldFields[])
    : null
}

/** The hold is over: its copy goes. The caller destroys its key. */
export async function endHold(postgres: Postgres, holdId: string): Promise<void> {
  await postgres.query(
    'end_hold',
    'UPDATE legal_holds SET sealed = NULL, released_at = COALESCE(released_at, now()) WHERE hold_id = $1',
    [holdId],
  )
}
