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

/** Batches profiles as links are batched: each page of a session repeats its identify call. */
export function createProfileWriter(deps: ProfileWriterDeps, capacity = 100_000): ProfileWriter {
  const stored = createRecentMap<string>(capacity)
  const store = batchMisses<GivenProfile, true>((profiles) => storeAll(deps, profiles), {
    windowMs: 2,
    batchSize: 200,
    concurrency: 2,
    pendingLimit: 5_000,
  })
  return {
    write(profile) {
      const key = profile.handle.toString('latin1')
      const content = JSON.stringify([profile.personal, profile.public, profile.token.toString('latin1')])
      const digest = createHash('sha256').update(content).digest('base64')
      if (stored.get(key) === digest) return undefined
      return store(`${key}${digest}`, profile).then(() => stored.set(key, digest))
    },
    forget: (handle) => stored.delete(handle.toString('latin1')),
  }
}

async function storeAll(deps: ProfileWriterDeps, profiles: readonly GivenProfile[]): Promise<true[]> {
  try {
    const rows = await deps.postgres.query<{ handle: Buffer; subject_id: string }>(
      'read_subjects',
      'SELECT handle, subject_id FROM subjects WHERE handle = ANY($1::bytea[])',
      [profiles.map((profile) => profile.handle)],
    )
    const ids = new Map(rows.map((row) => [row.handle.toString('latin1'), row.subject_id]))
    const secrets = await deps.keyring.readSecrets([...ids.values()])
    const lookups = await readLookups(deps.keyring, profiles)
    const owned = profiles.flatMap((profile) => {
      const subjectId = ids.get(profile.handle.toString('latin1'))
      const secret = subjectId === undefined ? undefined : secrets.get(subjectId)
      if (subjectId === undefined || !secret) return []
      const { token, sealKey } = deriveSubjectKeys(secret)
      if (!token.equals(profile.token)) return []
      const contacts = contactsOf(deps.contactTraits, lookups.get(profile.app)!, profile.personal)
      return [{ ...profile, subjectId, key: { sealKey }, contacts }]
    })
    await writeProfiles(deps, owned)
  } catch (cause) {
    throw new EbbError('subjects_unavailable', 'profiles cannot be stored', { cause })
  }
  return profiles.map(() => true)
}

/** Look-up keys of the profiles' apps, by app: mostly one. */
async function readLookups(
  keyring: ProfileWriterDeps['keyring'],
  profiles: readonly GivenProfile[],
): Promise<Map<string, KeyedHash>> {
  const apps = [...new Set(profiles.map((profile) => profile.app))]
  const keys = await Promise.all(apps.map((app) => keyring.appLookupKey(app)))
  return new Map(apps.map((app, index) => [app, createKeyedHash(keys[index]!)]))
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
