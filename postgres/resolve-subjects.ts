import { randomUUID } from 'node:crypto'
import { deriveSubjectKeys, type SubjectKeys } from '../gate/subject-keys.ts'
import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import { batchMisses } from './batch-misses.ts'
import type { Postgres } from './client.ts'
import type { Keyring } from './keyring.ts'
import { createRecentMap } from './recent-map.ts'

export type ResolveErrorCode = 'subjects_unavailable'

export interface SubjectResolver {
  /**
   * Keys of each handle, in order; a person who is new gets a secret, which is on disk when this returns.
   * Answers at once (no promise) when all are cached, as they are on the hot path.
   * @param handles 32 bytes each, HMAC under the app's look-up key.
   * @throws EbbError `subjects_unavailable` when a handle is not cached and Postgres is away: retry later.
   */
  resolve(handles: readonly Buffer[], app: string): SubjectKeys[] | Promise<SubjectKeys[]>
  /** Drops a person from the cache, and from look-ups under way, so that the next event asks Postgres again. */
  forget(handle: Buffer): void
  /** Looks handles up as `resolve` would, and makes nobody. @throws EbbError `subjects_unavailable` */
  glance(handles: readonly Buffer[]): Promise<void>
  /** People in the cache. */
  cached(): number
}

export interface ResolverDeps {
  /** Database `ebb`. */
  postgres: Postgres
  keyring: Keyring
  /** People kept in memory, about 200 bytes each. Default 200,000. */
  capacity?: number
  windowMs?: number
  /**
   * By Postgres's clock nobody is made after this moment (milliseconds since 1970): who slept since it looked whether a
   * person is blocked must not make them anew. Default: never too late.
   */
  mayCreateUntil?: () => number
}

interface Miss {
  handle: Buffer
  app: string
  /** What `mayCreateUntil` said when it was asked for: a lease is renewed while look-ups wait. */
  until?: number | undefined
}

const TOKEN_BYTES = 16

/** At most this many look-ups wait; a person waits with 100 bytes, so that is 2 MB. */
const PENDING_LIMIT = 20_000

/** Finds, or makes, the keys of people by handle: from memory, else batched from Postgres. */
export function createSubjectResolver(deps: ResolverDeps): SubjectResolver {
  const known = createRecentMap<string>(deps.capacity ?? 200_000)
  const look = batchMisses<Miss, SubjectKeys>((misses) => resolveMisses(deps, misses), {
    windowMs: deps.windowMs ?? 2,
    batchSize: 1_000,
    concurrency: 2,
    pendingLimit: PENDING_LIMIT,
  })
  // Look-ups under way whose person changed meanwhile: what they find may be of before.
  const asked = new Map<string, { stale: boolean }>()
  const ask = async (key: string, miss: Miss, tries = 3): Promise<SubjectKeys> => {
    const question = asked.get(key) ?? { stale: false }
    asked.set(key, question)
    const keys = await look(key, miss).finally(() => {
      if (asked.get(key) === question) asked.delete(key)
    })
    if (question.stale) {
      if (tries === 1) throw new EbbError('subjects_unavailable', 'a person changes all the time')
      return ask(key, miss, tries - 1)
    }
    known.set(key, pack(keys))
    return keys
  }
  const glanceAt = batchMisses<Miss, true>(
    (misses) => readSubjects(deps.postgres, misses).then(() => misses.map(() => true)),
    { windowMs: deps.windowMs ?? 2, batchSize: 1_000, concurrency: 2, pendingLimit: PENDING_LIMIT },
  )
  return {
    resolve(handles, app) {
      const found: (SubjectKeys | Promise<SubjectKeys>)[] = []
      let complete = true
      let until: number | undefined
      for (const handle of handles) {
        const key = handle.toString('latin1')
        const packed = known.get(key)
        if (packed !== undefined) found.push(unpack(packed))
        else {
          if (complete) until = deps.mayCreateUntil?.()
          complete = false
          found.push(ask(key, { handle, app, until }))
        }
      }
      return complete ? (found as SubjectKeys[]) : Promise.all(found)
    },
    forget(handle) {
      const key = handle.toString('latin1')
      known.delete(key)
      const question = asked.get(key)
      if (question) question.stale = true
    },
    async glance(handles) {
      try {
        await Promise.all(handles.map((handle) => glanceAt(handle.toString('latin1'), { handle, app: '' })))
      } catch (cause) {
        throw new EbbError('subjects_unavailable', 'subjects cannot be looked up', { cause })
      }
    },
    cached: () => known.size(),
  }
}

/** Keys wait in the cache as one text of one byte a character: two Buffers would take six times the memory. */
function pack(keys: SubjectKeys): string {
  return Buffer.concat([keys.token, keys.idKey]).toString('latin1')
}

function unpack(packed: string): SubjectKeys {
  const bytes = Buffer.from(packed, 'latin1')
  return { token: bytes.subarray(0, TOKEN_BYTES), idKey: bytes.subarray(TOKEN_BYTES) }
}

interface SubjectRow {
  handle: Buffer
  subject_id: string
}

/**
 * One batch: who is known, who is new, and the secrets of all. Three statements where all are known, five at most.
 */
async function resolveMisses(deps: ResolverDeps, misses: Miss[]): Promise<(SubjectKeys | EbbError)[]> {
  try {
    const ids = await readSubjects(deps.postgres, misses)
    const strangers = misses.filter((miss) => !ids.has(miss.handle.toString('latin1')))
    const fresh =
      strangers.length > 0 ? await createSubjects(deps, strangers, ids) : new Map<string, Buffer>()
    const toRead = [...ids.values()].filter((id) => !fresh.has(id))
    const stored = toRead.length > 0 ? await deps.keyring.readSecrets(toRead) : new Map<string, Buffer>()
    return misses.map((miss) => {
      const id = ids.get(miss.handle.toString('latin1'))!
      const secret = fresh.get(id) ?? stored.get(id)
      if (!secret) return new EbbError('subjects_unavailable', 'a subject has no secret')
      // The seal key is not kept: the collector has no use for it.
      const { token, idKey } = deriveSubjectKeys(secret)
      return { token, idKey }
    })
  } catch (cause) {
    if (cause instanceof EbbError && cause.code === 'key_unwrap_failed') throw cause
    throw new EbbError('subjects_unavailable', 'subjects cannot be looked up', { cause })
  }
}

async function readSubjects(postgres: Postgres, misses: Miss[]): Promise<Map<string, string>> {
  const rows = await postgres.query<SubjectRow>(
    'read_subjects',
    'SELECT handle, subject_id FROM subjects WHERE handle = ANY($1::bytea[])',
    [misses.map((miss) => miss.handle)],
  )
  return new Map(rows.map((row) => [row.handle.toString('latin1'), row.subject_id]))
}

/**
 * Makes people. The order guards against crashes and races:
 * 1. secrets into the keyring, committed: a crash here leaves secrets that no one uses;
 * 2. people into `subjects`, where a handle that another collector made meanwhile stays as it is;
 * 3. handles lost to another collector are read again, so that both go on with the one stored secret. It is there:
 *    the other, too, wrote it first. Who comes too late to make anybody finds nobody: `subjects_unavailable`.
 * The other order would show a person without a secret, and their first event could not be tokenised.
 * @param ids gets the new people's subject ids, by handle. @returns secrets of those that this call made, by subject id.
 */
async function createSubjects(
  deps: ResolverDeps,
  strangers: Miss[],
  ids: Map<string, string>,
): Promise<Map<string, Buffer>> {
  const made = await deps.keyring.createSecrets(strangers.map(() => randomUUID()))
  faultPoint('collector.after-subject-secret')
  // Handles in one order everywhere: two collectors that insert the same people never wait for each other in a circle.
  const ordered = strangers
    .map((miss, index) => ({ ...miss, subjectId: made[index]!.subjectId }))
    .sort((a, b) => a.handle.compare(b.handle))
  const inserted = await deps.postgres.query<SubjectRow>(
    'create_subjects',
    `INSERT INTO subjects (handle, app, subject_id)
     SELECT handle, app, subject_id
     FROM unnest($1::bytea[], $2::text[], $3::uuid[], $4::double precision[]) AS new (handle, app, subject_id, until)
     WHERE until IS NULL OR clock_timestamp() < to_timestamp(until / 1000)
     ON CONFLICT (handle) DO NOTHING RETURNING handle, subject_id`,
    [
      ordered.map((one) => one.handle),
      ordered.map((one) => one.app),
      ordered.map((one) => one.subjectId),
      ordered.map((one) => one.until ?? null),
    ],
  )
  for (const row of inserted) ids.set(row.handle.toString('latin1'), row.subject_id)
  const lost = ordered.filter((one) => !ids.has(one.handle.toString('latin1')))
  if (lost.length > 0) {
    for (const [handle, id] of await readSubjects(deps.postgres, lost)) ids.set(handle, id)
    // Not waited for: an unused secret harms no one, and a crash leaves some anyway.
    deps.keyring.dropSecrets(lost.map((one) => one.subjectId)).catch(() => {})
  }
  return new Map(made.map((one) => [one.subjectId, one.secret]))
}
