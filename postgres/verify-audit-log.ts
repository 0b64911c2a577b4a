import { type AuditRow, FIRST_PREVIOUS, hashAuditRow } from './audit-log.ts'
import type { Postgres } from './client.ts'

export interface AuditHead {
  seq: bigint
  /** Lower-case hex; '' of an empty log. */
  hash: string
}

export type AuditFault = 'missing' | 'changed' | 'unchained' | 'rolled-back'

export interface AuditVerdict {
  /** Rows whose place and hash hold. */
  rows: number
  head: AuditHead
  /** The first row that does not hold; null when all do. */
  broken: { seq: bigint; fault: AuditFault } | null
}

interface StoredRow {
  seq: string
  at: string
  actor: string
  action: string
  object: string
  outcome: string
  previous: Buffer
  hash: Buffer
}

const PAGE = 5_000

/**
 * Derives the whole chain anew, page by page, and stops at the first row that is missing, was changed or does not follow.
 * A chain cannot know that its end was cut off: whoever noted a head earlier gives it as `known`.
 */
export async function verifyAuditLog(postgres: Postgres, known?: AuditHead): Promise<AuditVerdict> {
  let rows = 0
  let head: AuditHead = { seq: 0n, hash: '' }
  let previous = FIRST_PREVIOUS
  for (;;) {
    const page = await readPage(postgres, head.seq)
    for (const row of page) {
      const fault = faultOf(row, head.seq + 1n, previous, known)
      if (fault !== null) {
        const seq = fault === 'missing' ? head.seq + 1n : row.seq
        return { rows, head, broken: { seq, fault } }
      }
      rows += 1
      previous = row.hash
      head = { seq: row.seq, hash: row.hash.toString('hex') }
    }
    if (page.length < PAGE) break
  }
  const short = known !== undefined && head.seq < known.seq
  return { rows, head, broken: short ? { seq: head.seq + 1n, fault: 'rolled-back' } : null }
}

function faultOf(row: AuditRow, seq: bigint, previous: Buffer, known?: AuditHead): AuditFault | null {
  if (row.seq !== seq) return 'missing'
  if (!row.previous.equals(previous)) return 'unchained'
  if (!hashAuditRow(row).equals(row.hash)) return 'changed'
  // Somebody with all rights can write a chain that is sound in itself: only a head from outside tells it.
  if (known?.seq === row.seq && known.hash !== row.hash.toString('hex')) return 'rolled-back'
  return null
}

async function readPage(postgres: Postgres, after: bigint): Promise<AuditRow[]> {
  const rows = await postgres.query<StoredRow>(
    'read_audit_page',
    `SELECT seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, actor, action, object, outcome,
       previous, hash
     FROM audit_log WHERE seq > $1 ORDER BY seq LIMIT ${PAGE}`,
    [after.toString()],
  )
  return rows.map((row) => ({ ...row, seq: BigInt(row.seq) }))
}
