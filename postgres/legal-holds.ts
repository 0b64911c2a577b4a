import type { PlacedHold } from '../schemas/erasure-messages.ts'
import type { Postgres } from './client.ts'
import { seal, unseal } from './seal.ts'
import { idBytes } from './sealed-requests.ts'

/** Notes a hold; a repeat changes nothing. */
export async function createHold(
  postgres: Postgres,
  requestId: string,
  { holdId, fields, article, untilMs, placedBy }: PlacedHold,
): Promise<void> {
  await postgres.query(
    'create_hold',
    `INSERT INTO legal_holds (hold_id, request_id, fields, article, until, placed_by)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
    [holdId, requestId, fields, article, new Date(untilMs), placedBy],
  )
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
