import { EbbError } from '../runtime/errors.ts'
import type { Postgres, TransactingPostgres } from './client.ts'

/** A subject of a closure. */
export interface ClosureSubject {
  subjectId: string
  /** 32 bytes. */
  handle: Buffer
}

export interface BlockWish {
  requestId: string
  /** Handles that the request names, 32 bytes each; those that nobody bears have no subject to mark. */
  handles: readonly Buffer[]
}

interface SubjectRow {
  subject_id: string
  handle: Buffer
}

type Within = Pick<Postgres, 'query'>

/** Tries when a link was written the other way round at the same moment, and Postgres ended one of the two. */
const DEADLOCK_TRIES = 5

/**
 * Marks the closure of a person's asserted links as blocked for a request. Each row is locked before its links are read,
 * and who writes a link holds its ends until the link is committed: whatever the walk did not see is refused, since its
 * end is marked by then. Repeats add what was born since.
 * @returns the closure, blocked.
 */
export async function blockSubjects(
  postgres: TransactingPostgres,
  wish: BlockWish,
): Promise<ClosureSubject[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await postgres.transaction(async (within) => {
        // Two blocks that walk towards each other would wait in a circle.
        await within.query(
          'lock_blocks',
          `SELECT pg_advisory_xact_lock(hashtextextended('ebb blocks', 4))`,
          [],
        )
        const closure = await walk(within, wish.handles, 'FOR UPDATE')
        await within.query(
          'create_blocks',
          `INSERT INTO subject_blocks (subject_id, request_id)
           SELECT subject_id, $2::uuid FROM unnest($1::uuid[]) AS blocked (subject_id) ON CONFLICT DO NOTHING`,
          [closure.map((one) => one.subjectId), wish.requestId],
        )
        return closure
      })
    } catch (error) {
      if (!(error instanceof EbbError && error.message.includes('40P01')) || tries === DEADLOCK_TRIES)
        throw error
    }
  }
}

/** The closure as it is now, unlocked. */
export function readClosure(postgres: Within, handles: readonly Buffer[]): Promise<ClosureSubject[]> {
  return walk(postgres, handles, '')
}

/** Takes a request's marks away. */
export async function unblock(postgres: Within, requestId: string): Promise<void> {
  await postgres.query('delete_blocks', 'DELETE FROM subject_blocks WHERE request_id = $1', [requestId])
}

/** Breadth first over asserted links, both ways, from the subjects of these handles. */
async function walk(
  within: Within,
  handles: readonly Buffer[],
  lock: '' | 'FOR UPDATE',
): Promise<ClosureSubject[]> {
  const closure = new Map<string, ClosureSubject>()
  const add = (rows: SubjectRow[]) => {
    for (const row of rows) closure.set(row.subject_id, { subjectId: row.subject_id, handle: row.handle })
    return rows.map((row) => row.subject_id)
  }
  const name = lock === '' ? 'closure' : 'block'
  let edge = add(
    await within.query<SubjectRow>(
      `${name}_of_handles`,
      `SELECT subject_id, handle FROM subjects WHERE handle = ANY($1::bytea[]) ORDER BY handle ${lock}`,
      [handles],
    ),
  )
  while (edge.length > 0) {
    const linked = await within.query<{ subject_id: string }>(
      'linked_subjects',
      `SELECT to_subject AS subject_id FROM subject_links WHERE from_subject = ANY($1::uuid[]) AND asserted
       UNION SELECT from_subject FROM subject_links WHERE to_subject = ANY($1::uuid[]) AND asserted`,
      [edge],
    )
    const next = linked.map((row) => row.subject_id).filter((id) => !closure.has(id))
    if (next.length === 0) break
    edge = add(
      await within.query<SubjectRow>(
        `${name}_of_subjects`,
        `SELECT subject_id, handle FROM subjects WHERE subject_id = ANY($1::uuid[]) ORDER BY handle ${lock}`,
        [next],
      ),
    )
  }
  return [...closure.values()]
}
