import { deriveSubjectKeys } from '../../gate/subject-keys.ts'
import type { Postgres } from '../../postgres/client.ts'
import { EbbError } from '../../runtime/errors.ts'
import { contactsOf, handlesOf } from './identifier-hashes.ts'
import { type Observation, type ObservedSubject, readOpenRequest, writeObservation } from './observation.ts'
import type { KeyringReader } from './read-keyring.ts'

/**
 * Works out by itself who is to be erased: whoever bears a handle of the identifiers or carries an address or number among them,
 * and from there every subject that asserted links lead to, both ways. Links are followed by subject id, so that a missing
 * row of a subject hides nobody behind it. What was seen before stays seen.
 */
export async function observeClosure(
  deps: {
    postgres: Postgres
    keyring: KeyringReader
    /** Days on which a token (hex) has rows. */
    daysOf(token: string): Promise<string[]>
  },
  requestId: string,
): Promise<Observation> {
  const request = await readOpenRequest(deps, requestId)
  const lookupKey = await deps.keyring.lookupKey(request.app)
  if (!lookupKey) throw new EbbError('app_unknown', 'the app has no look-up key')
  const { identifiers } = request.sealed
  const own = request.namesHandle ? identifiers.map(({ value }) => value) : handlesOf(lookupKey, identifiers)
  const before = request.observed
  const known = before?.subjects.map((one) => one.subjectId) ?? []
  // Who gives an address after the block is somebody else, whom nothing could keep from giving it.
  const carriedUntil = request.blockedAt ?? request.liftedAt
  const carriers = await carriersOf(deps.postgres, contactsOf(lookupKey, identifiers), carriedUntil)
  const ids = await closureOf(deps.postgres, {
    handles: own,
    known: [...known, ...carriers],
    until: request.liftedAt,
  })
  const borne = await handlesOfSubjects(deps.postgres, ids)
  const secrets = await deps.keyring.secrets(ids)
  const subjects = new Map<string, ObservedSubject>(before?.subjects.map((one) => [one.subjectId, one]))
  for (const [subjectId, { secret, shard, keyVersion, providerKey }] of secrets) {
    const token = deriveSubjectKeys(secret).token.toString('hex')
    subjects.set(subjectId, { subjectId, token, shard, keyVersion, providerKey })
  }
  const keyless = [...new Set([...(before?.keyless ?? []), ...ids])].filter((id) => !subjects.has(id))
  const days = await Promise.all([...subjects.values()].map(({ token }) => deps.daysOf(token)))
  const observation = {
    handles: [...new Set([...(before?.handles ?? []), ...own, ...borne])],
    subjects: [...subjects.values()],
    keyless,
    days: [...new Set([...(before?.days ?? []), ...days.flat()])].sort(),
  }
  await writeObservation(deps.postgres, request, observation)
  return observation
}

/** Subjects whose profile carries one of these contacts (hex). @param until whoever gave it later is left out; null leaves nobody out */
async function carriersOf(postgres: Postgres, contacts: string[], until: Date | null): Promise<string[]> {
  const rows = await postgres.query<{ subject_id: string }>(
    'verifier_carriers',
    `SELECT subject_id FROM contacts WHERE contact_hash = ANY($1::bytea[])
       AND ($2::timestamptz IS NULL OR date_trunc('milliseconds', since) <= $2)`,
    [contacts.map(fromHex), until],
  )
  return rows.map((row) => row.subject_id)
}

/** @param until whoever came later under the same handles is somebody else */
async function closureOf(
  postgres: Postgres,
  { handles, known, until }: { handles: string[]; known: string[]; until: Date | null },
): Promise<string[]> {
  const rows = await postgres.query<{ subject_id: string }>(
    'verifier_closure',
    `WITH RECURSIVE closure (subject_id) AS (
       SELECT subject_id FROM subjects
         WHERE handle = ANY($1::bytea[]) AND ($3::timestamptz IS NULL OR created_at <= $3)
       UNION SELECT unnest($2::uuid[])
       UNION SELECT CASE WHEN l.from_subject = c.subject_id THEN l.to_subject ELSE l.from_subject END
         FROM closure c JOIN subject_links l
         ON l.asserted AND (l.from_subject = c.subject_id OR l.to_subject = c.subject_id)
     )
     SELECT subject_id FROM closure`,
    [handles.map(fromHex), known, until],
  )
  return rows.map((row) => row.subject_id)
}

async function handlesOfSubjects(postgres: Postgres, subjectIds: readonly string[]): Promise<string[]> {
  const rows = await postgres.query<{ handle: Buffer }>(
    'verifier_handles',
    'SELECT handle FROM subjects WHERE subject_id = ANY($1::uuid[])',
    [subjectIds],
  )
  return rows.map((row) => row.handle.toString('hex'))
}

function fromHex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
