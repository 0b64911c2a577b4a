import { createHmac } from 'node:crypto'
import { deriveSubjectKeys } from '../../gate/subject-keys.ts'
import type { Postgres } from '../../postgres/client.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { PersonIdentifier } from '../../schemas/erasure.ts'
import {
  type Observation,
  type ObservedSubject,
  type OpenRequest,
  readOpenRequest,
  writeObservation,
} from './observation.ts'
import type { KeyringReader } from './read-keyring.ts'

/**
 * Works out by itself who is to be erased: handles from the identifiers, and from them every subject that asserted links
 * lead to, both ways. Links are followed by subject id, so that a missing row of a subject hides nobody behind it. What
 * was seen before stays seen.
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
  const own = await handlesOf(deps.keyring, request)
  const before = request.observed
  const known = before?.subjects.map((one) => one.subjectId) ?? []
  const ids = await closureOf(deps.postgres, { handles: own, known, until: request.liftedAt })
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

/** As the gate makes them, worked out anew: an e-mail address or a phone number may be an app's user id. */
async function handlesOf(keyring: KeyringReader, { app, sealed }: OpenRequest): Promise<string[]> {
  const lookupKey = await keyring.lookupKey(app)
  if (!lookupKey) throw new EbbError('app_unknown', 'the app has no look-up key')
  return [
    ...new Set(sealed.identifiers.flatMap((one) => formsOf(one).map((form) => handleOf(lookupKey, form)))),
  ]
}

function formsOf({ label, value }: PersonIdentifier): { kind: string; id: string }[] {
  if (label === 'anonymousId') return [{ kind: 'anonymous', id: value }]
  const forms = label === 'email' ? [value, value.toLowerCase()] : [value]
  return forms.map((id) => ({ kind: 'user', id }))
}

function handleOf(lookupKey: Buffer, { kind, id }: { kind: string; id: string }): string {
  return createHmac('sha256', lookupKey).update(`${kind}\0${id}`).digest('hex')
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
    [handles.map((handle) => Buffer.from(handle, 'hex')), known, until],
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
