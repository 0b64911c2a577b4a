import { createHash } from 'node:crypto'
import { EbbError } from '../runtime/errors.ts'
import type { Postgres, TransactingPostgres } from './client.ts'

export type AuditErrorCode = 'audit_unavailable'

/** Who did what to which thing, and how it ended. Names, ids and codes only: never a body, an identifier or a raw path. */
export interface AuditEntry {
  /** `token:<token id>:<name>`, `cli:<user>` or `anonymous`. */
  actor: string
  /** A route (`POST /v1/privacy/requests`) or a verb (`erase`). */
  action: string
  /** A request's, hold's or token's id; `-` where there is none. */
  object: string
  /** A status with its code (`202 ok`, `403 role_forbidden`), or `done`. */
  outcome: string
}

export interface AuditLog {
  /** Resolves when the entry is on disk. @throws EbbError `audit_unavailable`: then the action must not be confirmed. */
  append(entry: AuditEntry): Promise<void>
}

export interface AuditRow extends AuditEntry {
  seq: bigint
  /** `2026-11-21T09:00:00.000000Z`: microseconds, as Postgres keeps them. */
  at: string
  previous: Buffer
  hash: Buffer
}

export const FIRST_PREVIOUS: Buffer = Buffer.alloc(32)
/** Rows of one insert at most. */
const BATCH = 500
/** Entries that wait at most; beyond it callers are turned away, so that a stopped database cannot fill memory. */
const PENDING_LIMIT = 10_000
const MAX_TEXT = 200

/** SHA-256(previous ‖ row), the row as a JSON array of texts: one form only, whatever reads it. */
export function hashAuditRow(row: Omit<AuditRow, 'hash'>): Buffer {
  const { seq, at, actor, action, object, outcome } = row
  const text = JSON.stringify([seq.toString(), at, actor, action, object, outcome])
  return createHash('sha256').update(row.previous).update(text).digest()
}

/**
 * Appends to the chain. Entries that come while a write is under way are written together by the next one, so that the
 * lock which keeps the chain without gaps is taken once for all of them.
 */
export function createAuditLog(postgres: TransactingPostgres, now: () => number = Date.now): AuditLog {
  interface Waiting {
    entry: AuditEntry
    at: string
    resolve(): void
    reject(error: unknown): void
  }
  let waiting: Waiting[] = []
  let writing = false
  const drain = async () => {
    writing = true
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH)
      waiting = waiting.slice(BATCH)
      await appendRows(postgres, batch).then(
        () => batch.forEach((one) => void one.resolve()),
        (cause) => {
          const error = new EbbError('audit_unavailable', 'the audit log cannot be written', { cause })
          batch.forEach((one) => void one.reject(error))
        },
      )
    }
    writing = false
  }
  return {
    append(entry) {
      if (waiting.length >= PENDING_LIMIT) {
        return Promise.reject(new EbbError('audit_unavailable', 'too many audit entries are waiting'))
      }
      return new Promise((resolve, reject) => {
        waiting.push({ entry: trim(entry), at: timeText(now()), resolve, reject })
        if (!writing) void drain()
      })
    },
  }
}

/** One transaction: the head is read under a lock, so no two writers chain to the same row and no number is skipped. */
async function appendRows(
  postgres: TransactingPostgres,
  batch: readonly { entry: AuditEntry; at: string }[],
): Promise<void> {
  await postgres.transaction(async (within) => {
    await within.query('lock_audit', `SELECT pg_advisory_xact_lock(hashtextextended('ebb audit log', 4))`, [])
    const [head] = await within.query<{ seq: string; hash: Buffer }>(
      'read_audit_head',
      'SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1',
      [],
    )
    const rows: AuditRow[] = []
    let seq = BigInt(head?.seq ?? 0)
    let previous = head?.hash ?? FIRST_PREVIOUS
    for (const { entry, at } of batch) {
      seq += 1n
      const row = { ...entry, seq, at, previous }
      const hash = hashAuditRow(row)
      rows.push({ ...row, hash })
      previous = hash
    }
    await insertRows(within, rows)
  })
}

async function insertRows(within: Pick<Postgres, 'query'>, rows: readonly AuditRow[]): Promise<void> {
  await within.query(
    'append_audit',
    `INSERT INTO audit_log (seq, at, actor, action, object, outcome, previous, hash)
     SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
       $7::bytea[], $8::bytea[])`,
    [
      rows.map((row) => row.seq.toString()),
      rows.map((row) => row.at),
      rows.map((row) => row.actor),
      rows.map((row) => row.action),
      rows.map((row) => row.object),
      rows.map((row) => row.outcome),
      rows.map((row) => row.previous),
      rows.map((row) => row.hash),
    ],
  )
}

/** Texts come from lists, ids and names; what is longer all the same, or not printable, is not kept. */
function trim(entry: AuditEntry): AuditEntry {
  const short = (text: string) => text.replace(/[\p{Cc}\p{Cs}]/gu, '?').slice(0, MAX_TEXT)
  return {
    actor: short(entry.actor),
    action: short(entry.action),
    object: short(entry.object),
    outcome: short(entry.outcome),
  }
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`
}
