import { EbbError } from '../runtime/errors.ts'
import type { SealedErasure } from '../schemas/erasure.ts'
import type { Postgres } from './client.ts'
import type { Keyring } from './keyring.ts'
import { seal, unseal } from './seal.ts'

export interface RequestDeps {
  postgres: Postgres
  keyring: Pick<Keyring, 'readSecrets'>
}

/** Opens the sealed part of a request. @throws EbbError `request_unknown`, also once the request is closed. */
export async function readSealed(deps: RequestDeps, requestId: string): Promise<SealedErasure> {
  const sealed = (await readSealedMany(deps, [requestId])).get(requestId)
  if (!sealed) throw new EbbError('request_unknown', 'no open request of this id')
  return sealed
}

/** The same of many; those that are not there, or closed, are missing from the map. */
export async function readSealedMany(
  deps: RequestDeps,
  requestIds: readonly string[],
): Promise<Map<string, SealedErasure>> {
  const rows = await deps.postgres.query<{ request_id: string; sealed: Buffer }>(
    'read_sealed',
    'SELECT request_id, sealed FROM privacy_requests WHERE request_id = ANY($1::uuid[]) AND sealed IS NOT NULL',
    [requestIds],
  )
  const secrets = await deps.keyring.readSecrets(rows.map((row) => row.request_id))
  const contents = new Map<string, SealedErasure>()
  for (const row of rows) {
    const secret = secrets.get(row.request_id)
    if (secret) contents.set(row.request_id, openContent(secret, row.request_id, row.sealed))
  }
  return contents
}

/**
 * Subject ids (UUIDs in text) of the request's app that the verifier has seen to be a person's, by its own look; none before its
 * first one, and of a request that is closed. Throws when what is there was not sealed for this request.
 */
export async function readObservedIds(deps: RequestDeps, requestId: string): Promise<string[]> {
  const [row] = await deps.postgres.query<{ observed: Buffer }>(
    'read_observed',
    'SELECT observed FROM privacy_requests WHERE request_id = $1 AND observed IS NOT NULL',
    [requestId],
  )
  const secret = row && (await deps.keyring.readSecrets([requestId])).get(requestId)
  if (!secret) return []
  const text = unseal(secret, row.observed, observedContext(requestId)).toString()
  const { subjects, keyless } = JSON.parse(text) as { subjects: { subjectId: string }[]; keyless: string[] }
  const rows = await deps.postgres.query<{ subject_id: string }>(
    'read_observed_subjects',
    `SELECT subject_id FROM subjects JOIN privacy_requests USING (app)
     WHERE request_id = $1 AND subject_id = ANY($2::uuid[])`,
    [requestId, [...subjects.map(({ subjectId }) => subjectId), ...keyless]],
  )
  return rows.map((row) => row.subject_id)
}

/** Bound into what the verifier seals: another than that of `sealed`, so that neither column can be put in the place of the other. */
export function observedContext(requestId: string): Buffer {
  return Buffer.concat([idBytes(requestId), Buffer.from('observed')])
}

/** Puts another content in the place of the sealed one. @throws EbbError `request_unknown` */
export async function writeSealed(
  deps: RequestDeps,
  requestId: string,
  content: SealedErasure,
): Promise<void> {
  const secret = (await deps.keyring.readSecrets([requestId])).get(requestId)
  const rows = secret
    ? await deps.postgres.query(
        'write_sealed',
        `UPDATE privacy_requests SET sealed = $2 WHERE request_id = $1 AND sealed IS NOT NULL RETURNING 1`,
        [requestId, sealContent(secret, requestId, content)],
      )
    : []
  if (rows.length === 0) throw new EbbError('request_unknown', 'no open request of this id')
}

/** Seals under the request key: the secret that the keyring holds under the request's id. */
export function sealContent(secret: Buffer, requestId: string, content: SealedErasure): Buffer {
  return seal(secret, Buffer.from(JSON.stringify(content)), idBytes(requestId))
}

function openContent(secret: Buffer, requestId: string, sealed: Buffer): SealedErasure {
  return JSON.parse(unseal(secret, sealed, idBytes(requestId)).toString()) as SealedErasure
}

/** What is bound into everything that is sealed for a request. */
export function idBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}
