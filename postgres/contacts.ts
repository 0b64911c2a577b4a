import type { Postgres } from './client.ts'

/** A field of a profile by which a person can be found. */
export interface ContactRow {
  /** Subject id, a UUID in text. */
  subjectId: string
  field: string
  /** 32 bytes, see gate/contact-hash.ts. */
  hash: Buffer
}

/** Whom a request means by their addresses and numbers. */
export interface ContactSearch {
  /** 32 bytes each. */
  hashes: readonly Buffer[]
  /** Who came to carry one of them later, by the millisecond, is not meant; null leaves nobody out. */
  until: Date | null
}

/**
 * Stores the contacts of profiles, in the transaction that stores these and holds blocks off; of one field of a subject at most
 * one may be given. What was there already keeps its moment.
 */
export async function writeContacts(
  within: Pick<Postgres, 'query'>,
  contacts: readonly ContactRow[],
): Promise<void> {
  await within.query(
    'write_contacts',
    `INSERT INTO contacts AS held (subject_id, field, contact_hash)
     SELECT subject_id, field, contact_hash
     FROM unnest($1::uuid[], $2::text[], $3::bytea[]) AS one (subject_id, field, contact_hash)
     WHERE EXISTS (SELECT FROM subjects s WHERE s.subject_id = one.subject_id)
       AND NOT EXISTS (SELECT FROM subject_blocks b WHERE b.subject_id = one.subject_id)
     ORDER BY subject_id, field
     ON CONFLICT (subject_id, field) DO UPDATE SET contact_hash = excluded.contact_hash, since = excluded.since
       WHERE held.contact_hash <> excluded.contact_hash`,
    [contacts.map((one) => one.subjectId), contacts.map((one) => one.field), contacts.map((one) => one.hash)],
  )
}
