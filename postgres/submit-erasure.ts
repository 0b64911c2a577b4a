import { randomBytes, randomUUID } from 'node:crypto'
import { hashContact, normaliseContact } from '../gate/contact-hash.ts'
import { createKeyedHash, hashBytes, hashText } from '../gate/keyed-hash.ts'
import { EbbError } from '../runtime/errors.ts'
import type { NewErasure, PersonIdentifier, SealedErasure } from '../schemas/erasure.ts'
import type { Postgres, TransactingPostgres } from './client.ts'
import type { Keyring } from './keyring.ts'
import { sealContent } from './sealed-requests.ts'

export type SubmitErrorCode = 'app_unknown' | 'identifier_invalid'

export interface SubmitDeps {
  postgres: TransactingPostgres
  keyring: Keyring
  /** Milliseconds. */
  privacy: { graceMs: number; dueMs: number }
  /** Milliseconds since 1970. */
  now(): number
}

export interface Submitted {
  requestId: string
  /** True: a running request covers these identifiers already, and `requestId` is that one's. */
  joined: boolean
}

/**
 * Takes a request in. Its key is in the keyring before its row is, so that no row stands unsealed or unreadable.
 * Nobody is looked up: what happens, and how long it takes, is the same for a person whom the app never saw.
 * @param requestedBy name of the officer's token or of the operating system's user, for the audit.
 * @throws EbbError `app_unknown`, `identifier_invalid`
 */
export async function submitErasure(
  deps: SubmitDeps,
  wish: NewErasure,
  requestedBy: string,
): Promise<Submitted> {
  const { postgres, keyring, privacy } = deps
  const apps = await postgres.query('find_app', 'SELECT 1 FROM apps WHERE app = $1', [wish.app])
  if (apps.length === 0) throw new EbbError('app_unknown', 'no such app')
  const lookupKey = await keyring.appLookupKey(wish.app)
  const handles = handlesOf(lookupKey, wish.identifiers)
  const blinds = blindsOf(lookupKey, [...handles, ...contactsOf(lookupKey, wish.identifiers)])
  const [secret] = await keyring.createSecrets([randomUUID()])
  const requestId = secret!.subjectId
  const content: SealedErasure = {
    identifiers: wish.identifiers,
    handles: handles.map((handle) => handle.toString('hex')),
    subjects: [],
    salt: randomBytes(32).toString('hex'),
  }
  const receivedMs = deps.now()
  const joined = await postgres.transaction(async (within) => {
    // Two who ask for one person at the same moment must meet: one of them waits here for the other's row.
    await within.query('lock_requests', 'SELECT pg_advisory_xact_lock(hashtextextended($1, 4))', [
      `ebb requests of ${wish.app}`,
    ])
    const running = await findCovering(within, wish.app, blinds)
    if (running) return running
    await insertRequest(within, {
      requestId,
      app: wish.app,
      proof: wish.proof,
      requestedBy,
      blinds,
      receivedMs,
      ...privacy,
      sealed: sealContent(secret!.secret, requestId, content),
    })
    return undefined
  })
  if (joined === undefined) return { requestId, joined: false }
  // Nothing was ever sealed under this key.
  await keyring.dropSecrets([requestId]).catch(() => {})
  return { requestId: joined, joined: true }
}

interface NewRow {
  requestId: string
  app: string
  proof: NewErasure['proof']
  requestedBy: string
  blinds: Buffer[]
  receivedMs: number
  graceMs: number
  dueMs: number
  sealed: Buffer
}

async function insertRequest(within: Pick<Postgres, 'query'>, row: NewRow): Promise<void> {
  await within.query(
    'create_request',
    `INSERT INTO privacy_requests
       (request_id, app, kind, state, proof, requested_by, blinds, received_at, grace_until, due_at, sealed)
     VALUES ($1, $2, 'erasure', 'received', $3, $4, $5, $6, $7, $8, $9)`,
    [
      row.requestId,
      row.app,
      row.proof,
      row.requestedBy,
      row.blinds,
      new Date(row.receivedMs),
      new Date(row.receivedMs + row.graceMs),
      new Date(row.receivedMs + row.dueMs),
      row.sealed,
    ],
  )
}

/** Who asked for such a request: nobody's name, since tokens' names and users' have a prefix. */
export const LATE_LINK = 'late-link'

/**
 * A request by handle alone, for an id that a late link gave to an erased person. Nobody asked for it, so no identifier is
 * known: its commitment is over the handle.
 * @returns the request's id
 */
export async function submitHandle(
  within: Pick<Postgres, 'query'>,
  deps: Pick<SubmitDeps, 'keyring' | 'privacy' | 'now'>,
  { app, handle }: { app: string; handle: Buffer },
): Promise<string> {
  const [secret] = await deps.keyring.createSecrets([randomUUID()])
  const requestId = secret!.subjectId
  const lookupKey = await deps.keyring.appLookupKey(app)
  const content: SealedErasure = {
    identifiers: [{ label: 'anonymousId', value: handle.toString('hex') }],
    handles: [handle.toString('hex')],
    subjects: [],
    salt: randomBytes(32).toString('hex'),
  }
  await insertRequest(within, {
    requestId,
    app,
    proof: 'account-session',
    requestedBy: LATE_LINK,
    blinds: blindsOf(lookupKey, [handle]),
    receivedMs: deps.now(),
    graceMs: 0,
    dueMs: deps.privacy.dueMs,
    sealed: sealContent(secret!.secret, requestId, content),
  })
  return requestId
}

/** A running request that names all of these people already; one that names only some of them is not enough. */
async function findCovering(
  postgres: Pick<Postgres, 'query'>,
  app: string,
  blinds: Buffer[],
): Promise<string | undefined> {
  const rows = await postgres.query<{ request_id: string }>(
    'find_covering_request',
    'SELECT request_id FROM privacy_requests WHERE blinds @> $2::bytea[] AND app = $1 ORDER BY received_at LIMIT 1',
    [app, blinds],
  )
  return rows[0]?.request_id
}

/**
 * Keyed hashes (32 bytes) of the addresses and numbers among these, as they stand beside profiles. A part of the blinds, too: who asks
 * by a user id that looks like an address has not asked for those who gave it as a trait.
 */
export function contactsOf(lookupKey: Buffer, identifiers: readonly PersonIdentifier[]): Buffer[] {
  const keyed = createKeyedHash(lookupKey)
  return identifiers.flatMap(({ label, value }) => {
    if (label !== 'email' && label !== 'phone') return []
    return normaliseContact(label, value) === '' ? [] : [hashContact(keyed, label, value)]
  })
}

/**
 * Handles under which the app's events may know a person: HMAC(app look-up key, kind ‖ 0x00 ‖ id), as the gate makes
 * them. An e-mail address or a phone number counts as a user id, since some apps use it as one: as it was typed, an address in lower
 * case too, and both in the one form of contacts.
 * @throws EbbError `identifier_invalid` for ill-formed text, which no event could carry.
 */
export function handlesOf(lookupKey: Buffer, identifiers: readonly PersonIdentifier[]): Buffer[] {
  const keyed = createKeyedHash(lookupKey)
  const handles = new Map<string, Buffer>()
  for (const { label, value } of identifiers) {
    if (LONE_SURROGATE.test(value))
      throw new EbbError('identifier_invalid', 'an identifier is not well-formed')
    for (const form of formsOf(label, value)) {
      const hash = hashText(keyed, label === 'anonymousId' ? 'anonymous' : 'user', form)
      handles.set(hash, Buffer.from(hash, 'latin1'))
    }
  }
  return [...handles.values()]
}

function formsOf(label: PersonIdentifier['label'], value: string): string[] {
  if (label !== 'email' && label !== 'phone') return [value]
  const known = normaliseContact(label, value)
  return [value, ...(label === 'email' ? [value.toLowerCase()] : []), ...(known === '' ? [] : [known])]
}

const LONE_SURROGATE = /\p{Surrogate}/u

function blindsOf(lookupKey: Buffer, hashes: readonly Buffer[]): Buffer[] {
  const keyed = createKeyedHash(lookupKey)
  return hashes.map((hash) => Buffer.from(hashBytes(keyed, 'request', hash), 'latin1'))
}
