import { lockBlocks } from './block-lock.ts'
import type { Postgres, TransactingPostgres } from './client.ts'
import type { ContactSearch } from './contacts.ts'

/** A subject of a closure. */
export interface ClosureSubject {
  subjectId: string
  /** 32 bytes. */
  handle: Buffer
}

/** Whom a request names itself: from them on links are followed. */
export interface ClosureStart {
  /** 32 bytes each; those that nobody bears have no subject to mark. */
  handles: readonly Buffer[]
  contacts: ContactSearch
  /** Subject ids that are known to be meant, whatever they are called by now. */
  subjectIds: readonly string[]
}

export interface BlockWish extends ClosureStart {
  requestId: string
}

interface SubjectRow {
  subject_id: string
  handle: Buffer
}

type Within = Pick<Postgres, 'query'>

/**
 * Marks the closure of a person's asserted links as blocked for a request; no link is written meanwhile, and a later one
 * finds the marks (block-lock.ts). Repeats add what was born since.
 * @returns the closure, blocked.
 */
export function blockSubjects(postgres: TransactingPostgres, wish: BlockWish): Promise<ClosureSubject[]> {
  return postgres.transaction(async (within) => {
    await lockBlocks(within)
    const closure = await readClosure(within, wish)
    await within.query(
      'create_blocks',
      `INSERT INTO subject_blocks (subject_id, request_id)
       SELECT subject_id, $2::uuid FROM unnest($1::uuid[]) AS blocked (subject_id) ON CONFLICT DO NOTHING`,
      [closure.map((one) => one.subjectId), wish.requestId],
    )
    return closure
  })
}

/**
 * The closure as it is now: breadth first over asserted links, both ways, from the subjects of these handles and from those whose
 * profile carries one of these contacts, and from those that are known.
 */
export async function readClosure(
  within: Within,
  { handles, contacts, subjectIds }: ClosureStart,
): Promise<ClosureSubject[]> {
  const closure = new Map<string, ClosureSubject>()
  const add = (rows: SubjectRow[]) => {
    for (const row of rows) closure.set(row.subject_id, { subjectId: row.subject_id, handle: row.handle })
    return rows.map((row) => row.subject_id)
  }
  // By itself: joined to `subjects`, and without samples to judge by, the planner might read both tables whole.
  const carriers = await within.query<{ subject_id: string }>(
    'closure_of_contacts',
    `SELECT subject_id FROM contacts WHERE contact_hash = ANY($1::bytea[])
       AND ($2::timestamptz IS NULL OR date_trunc('milliseconds', since) <= $2)`,
    [contacts.hashes, contacts.until],
  )
  let edge = add(
    await within.query<SubjectRow>(
      'closure_start',
      'SELECT subject_id, handle FROM subjects WHERE handle = ANY($1::bytea[]) OR subject_id = ANY($2::uuid[])',
      [handles, [...subjectIds, ...carriers.map((row) => row.subject_id)]],
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
        'closure_of_subjects',
        'SELECT subject_id, handle FROM subjects WHERE subject_id = ANY($1::uuid[])',
        [next],
      ),
    )
  }
  return [...closure.values()]
}

/** Takes a request's marks away. */
export async function unblock(postgres: Within, requestId: string): Promise<void> {
  await postgres.query('delete_blocks', 'DELETE FROM subject_blocks WHERE request_id = $1', [requestId])
}
