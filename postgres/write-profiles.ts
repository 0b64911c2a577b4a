import { createHash } from 'node:crypto'
import { hashContact } from '../gate/contact-hash.ts'
import { createKeyedHash, type KeyedHash } from '../gate/keyed-hash.ts'
import { deriveSubjectKeys } from '../gate/subject-keys.ts'
import { EbbError } from '../runtime/errors.ts'
import type { ContactKind } from '../schemas/event-definition.ts'
import { batchMisses } from './batch-misses.ts'
import type { TransactingPostgres } from './client.ts'
import type { Keyring } from './keyring.ts'
import { createRecentMap } from './recent-map.ts'
import { writeProfiles } from './users-pii.ts'

/** Traits that a person gave by identify. */
export interface GivenProfile {
  /** 32 bytes. */
  handle: Buffer
  /** Of the subject that the handle was found to be, 16 bytes: a profile never goes to a later one. */
  token: Buffer
  app: string
  personal: Record<string, string>
  public: Record<string, unknown>
}

export interface ProfileWriter {
  /**
   * Resolves when the profile is on disk, sealed; nothing to wait for (undefined) when the same was stored lately. Of a
   * person who is being erased nothing is stored, and nothing tells. @throws EbbError `subjects_unavailable`
   */
  write(profile: GivenProfile): Promise<void> | undefined
  /** What was stored of this handle lately may be gone. */
  forget(handle: Buffer): void
}

export interface ProfileWriterDeps {
  postgres: TransactingPostgres
  keyring: Pick<Keyring, 'readSecrets' | 'appLookupKey'>
  /** Traits by which a person can be found, by name. */
  contactTraits: ReadonlyMap<string, ContactKind>
}

const BATCHES = { windowMs: 2, batchSize: 200, concurrency: 2, pendingLimit: 5_000 }

/**
 * Batches profiles as links are batched: each page of a session repeats its identify call. What was stored lately is not sealed and
 * stored again; but another collector may have stored something else since, and requests to erase rest on contacts, so those
 * are compared. Nobody waits for that: an answer which took longer for who is known would tell who was erased.
 */
export function createProfileWriter(deps: ProfileWriterDeps, capacity = 100_000): ProfileWriter {
  const stored = createRecentMap<string>(capacity)
  const lookups = rememberLookups(deps.keyring)
  const store = batchMisses<GivenProfile, true>((profiles) => storeAll(deps, lookups, profiles), BATCHES)
  const areContactsStored = batchMisses<GivenProfile, boolean>(
    (profiles) => compareContacts(deps, lookups, profiles),
    BATCHES,
  )
  return {
    write(profile) {
      const key = profile.handle.toString('latin1')
      const content = JSON.stringify([profile.personal, profile.public, profile.token.toString('latin1')])
      const digest = createHash('sha256').update(content).digest('base64')
      const flight = `${key}${digest}`
      const storeNow = () => store(flight, profile).then(() => stored.set(key, digest))
      if (stored.get(key) !== digest) return storeNow()
      if (Object.keys(profile.personal).some((field) => deps.contactTraits.has(field))) {
        void areContactsStored(flight, profile)
          // Unless another came after it: the last one counts.
          .then((same) => (same || stored.get(key) !== digest ? undefined : storeNow()))
          // Postgres is away, and who is known goes on: the next identify call compares again.
          .catch(() => {})
      }
      return undefined
    },
    forget: (handle) => stored.delete(handle.toString('latin1')),
  }
}

async function storeAll(
  deps: ProfileWriterDeps,
  lookups: Lookups,
  profiles: readonly GivenProfile[],
): Promise<true[]> {
  try {
    const rows = await deps.postgres.query<{ handle: Buffer; subject_id: string }>(
      'read_subjects',
      'SELECT handle, subject_id FROM subjects WHERE handle = ANY($1::bytea[])',
      [profiles.map((profile) => profile.handle)],
    )
    const ids = new Map(rows.map((row) => [row.handle.toString('latin1'), row.subject_id]))
    const secrets = await deps.keyring.readSecrets([...ids.values()])
    const keyed = await lookups(profiles)
    const owned = profiles.flatMap((profile) => {
      const subjectId = ids.get(profile.handle.toString('latin1'))
      const secret = subjectId === undefined ? undefined : secrets.get(subjectId)
      if (subjectId === undefined || !secret) return []
      const { token, sealKey } = deriveSubjectKeys(secret)
      if (!token.equals(profile.token)) return []
      const contacts = contactsOf(deps.contactTraits, keyed.get(profile.app)!, profile.personal)
      return [{ ...profile, subjectId, key: { sealKey }, contacts }]
    })
    await writeProfiles(deps, owned)
  } catch (cause) {
    throw new EbbError('subjects_unavailable', 'profiles cannot be stored', { cause })
  }
  return profiles.map(() => true)
}

/** Of each profile, whether its contacts are what stands in the vault. */
async function compareContacts(
  deps: ProfileWriterDeps,
  lookups: Lookups,
  profiles: readonly GivenProfile[],
): Promise<boolean[]> {
  const keyed = await lookups(profiles)
  const rows = await deps.postgres.query<{ handle: Buffer; field: string; contact_hash: Buffer }>(
    'read_contacts',
    `SELECT handle, field, contact_hash FROM subjects JOIN contacts USING (subject_id)
     WHERE handle = ANY($1::bytea[])`,
    [profiles.map((profile) => profile.handle)],
  )
  const nameOf = (handle: Buffer, field: string) => `${handle.toString('latin1')}${field}`
  const held = new Map(rows.map((row) => [nameOf(row.handle, row.field), row.contact_hash]))
  return profiles.map(({ app, handle, personal }) =>
    Object.entries(contactsOf(deps.contactTraits, keyed.get(app)!, personal)).every(
      ([field, hash]) => held.get(nameOf(handle, field))?.equals(hash) ?? false,
    ),
  )
}

/** Look-up keys of the profiles' apps, by app. */
type Lookups = (profiles: readonly GivenProfile[]) => Promise<ReadonlyMap<string, KeyedHash>>

/** An app keeps its key for good, and there are few apps. */
function rememberLookups(keyring: ProfileWriterDeps['keyring']): Lookups {
  const known = new Map<string, KeyedHash>()
  return async (profiles) => {
    for (const app of new Set(profiles.map((profile) => profile.app))) {
      if (!known.has(app)) known.set(app, createKeyedHash(await keyring.appLookupKey(app)))
    }
    return known
  }
}

/** Also of a trait that holds no address or number (any more), which nobody searches for: what was there before must not stay. */
function contactsOf(
  traits: ProfileWriterDeps['contactTraits'],
  lookup: KeyedHash,
  personal: Record<string, string>,
): Record<string, Buffer> {
  const given = Object.entries(personal).flatMap(([field, text]) => {
    const kind = traits.get(field)
    return kind ? [[field, hashContact(lookup, kind, text)] as const] : []
  })
  return Object.fromEntries(given)
}
