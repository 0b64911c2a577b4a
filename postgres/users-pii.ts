import { deriveSubjectKeys } from '../gate/subject-keys.ts'
import { holdOffBlocks } from './block-lock.ts'
import type { TransactingPostgres } from './client.ts'
import { type ContactRow, writeContacts } from './contacts.ts'
import { subjectContext } from './key-shard.ts'
import { seal, unseal } from './seal.ts'

/** What an app wants kept of a person. */
export interface Profile {
  /** Subject id, a UUID in text. */
  subjectId: string
  app: string
  /** The subject's secret (32 bytes), or its seal key (32 bytes) where only that is at hand. */
  key: { secret: Buffer } | { sealKey: Buffer }
  /** Sealed field by field under the subject's own key; a field that is not named here stays as it is. */
  personal: Record<string, string>
  /** Traits without sensitivity; merged into those that are there. */
  public: Record<string, unknown>
  /** Keyed hashes (32 bytes) of those personal fields by which the person can be found, by field. */
  contacts?: Record<string, Buffer>
}

export interface StoredProfile {
  app: string | null
  personal: Record<string, string>
  public: Record<string, unknown>
}

/** Stores one profile; see writeProfiles. */
export function writeProfile(deps: { postgres: TransactingPostgres }, profile: Profile): Promise<void> {
  return writeProfiles(deps, [profile])
}

/**
 * Stores profiles, some hundred in four statements; the last of one subject wins, field by field. A subject that is blocked
 * gets nothing, and no error tells; none slips in behind a block (block-lock.ts).
 * @throws EbbError `postgres_unavailable`, `postgres_refused`
 */
export async function writeProfiles(
  deps: { postgres: TransactingPostgres },
  profiles: readonly Profile[],
): Promise<void> {
  const fields = sealFields(profiles)
  const contacts = listContacts(profiles)
  const traits = mergeTraits(profiles)
  if (fields.length + contacts.length + traits.length === 0) return
  await deps.postgres.transaction(async (within) => {
    await holdOffBlocks(within)
    if (fields.length > 0) await writeFields(within, fields)
    if (contacts.length > 0) await writeContacts(within, contacts)
    if (traits.length > 0) await writeTraits(within, traits)
  })
}

type Within = Pick<TransactingPostgres, 'query'>

async function writeFields(within: Within, fields: readonly SealedField[]): Promise<void> {
  await within.query(
    'write_personal',
    `INSERT INTO users_pii (subject_id, field, sealed)
     SELECT subject_id, field, sealed
     FROM unnest($1::uuid[], $2::text[], $3::bytea[]) AS one (subject_id, field, sealed)
     WHERE EXISTS (SELECT FROM subjects s WHERE s.subject_id = one.subject_id)
       AND NOT EXISTS (SELECT FROM subject_blocks b WHERE b.subject_id = one.subject_id)
     ORDER BY subject_id, field
     ON CONFLICT (subject_id, field) DO UPDATE SET sealed = excluded.sealed, updated_at = now()`,
    [fields.map((one) => one.subjectId), fields.map((one) => one.field), fields.map((one) => one.sealed)],
  )
}

async function writeTraits(within: Within, traits: readonly MergedTraits[]): Promise<void> {
  await within.query(
    'write_public',
    `INSERT INTO users_public AS held (subject_id, app, traits)
     SELECT subject_id, app, traits
     FROM unnest($1::uuid[], $2::text[], $3::jsonb[]) AS one (subject_id, app, traits)
     WHERE EXISTS (SELECT FROM subjects s WHERE s.subject_id = one.subject_id)
       AND NOT EXISTS (SELECT FROM subject_blocks b WHERE b.subject_id = one.subject_id)
     ORDER BY subject_id
     ON CONFLICT (subject_id) DO UPDATE SET traits = held.traits || excluded.traits, updated_at = now()`,
    [
      traits.map((one) => one.subjectId),
      traits.map((one) => one.app),
      traits.map((one) => JSON.stringify(one.public)),
    ],
  )
}

/** Opens a profile; empty where nothing is stored. Throws when the secret is another subject's. */
export async function readProfile(
  deps: { postgres: Pick<TransactingPostgres, 'query'> },
  person: { subjectId: string; secret: Buffer },
): Promise<StoredProfile> {
  const { sealKey } = deriveSubjectKeys(person.secret)
  const sealed = await deps.postgres.query<{ field: string; sealed: Buffer }>(
    'read_personal',
    'SELECT field, sealed FROM users_pii WHERE subject_id = $1 ORDER BY field',
    [person.subjectId],
  )
  const [open] = await deps.postgres.query<{ app: string; traits: Record<string, unknown> }>(
    'read_public',
    'SELECT app, traits FROM users_public WHERE subject_id = $1',
    [person.subjectId],
  )
  const personal = sealed.map((row) => [
    row.field,
    unseal(sealKey, row.sealed, fieldContext(person.subjectId, row.field)).toString(),
  ])
  return { app: open?.app ?? null, personal: Object.fromEntries(personal), public: open?.traits ?? {} }
}

/** A sealed value can be moved neither to another person nor to another field. */
function fieldContext(subjectId: string, field: string): Buffer {
  return Buffer.concat([subjectContext(subjectId), Buffer.from(field)])
}

interface SealedField {
  subjectId: string
  field: string
  sealed: Buffer
}

/** One of a kind: a statement cannot write the same row twice. */
function sealFields(profiles: readonly Profile[]): SealedField[] {
  const fields = new Map<string, SealedField>()
  for (const { subjectId, key, personal } of profiles) {
    const entries = Object.entries(personal)
    if (entries.length === 0) continue
    const sealKey = 'secret' in key ? deriveSubjectKeys(key.secret).sealKey : key.sealKey
    for (const [field, value] of entries) {
      const sealed = seal(sealKey, Buffer.from(value), fieldContext(subjectId, field))
      fields.set(`${subjectId}/${field}`, { subjectId, field, sealed })
    }
  }
  return [...fields.values()]
}

function listContacts(profiles: readonly Profile[]): ContactRow[] {
  const rows = new Map<string, ContactRow>()
  for (const { subjectId, contacts = {} } of profiles) {
    for (const [field, hash] of Object.entries(contacts))
      rows.set(`${subjectId}/${field}`, { subjectId, field, hash })
  }
  return [...rows.values()]
}

type MergedTraits = Pick<Profile, 'subjectId' | 'app' | 'public'>

function mergeTraits(profiles: readonly Profile[]): MergedTraits[] {
  const merged = new Map<string, MergedTraits>()
  for (const { subjectId, app, public: traits } of profiles) {
    if (Object.keys(traits).length === 0) continue
    merged.set(subjectId, { subjectId, app, public: { ...merged.get(subjectId)?.public, ...traits } })
  }
  return [...merged.values()]
}
