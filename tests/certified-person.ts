import { randomBytes, randomUUID } from 'node:crypto'
import { parseCanonicalJson } from '../certificates/canonical-json.ts'
import { parseCertificate } from '../certificates/read-certificate.ts'
import { claimBatch, enqueueRequests, finishBatch, noteUnreachable } from '../postgres/erasure-queue.ts'
import { createHold, sealHold } from '../postgres/legal-holds.ts'
import { listCertificates } from '../postgres/read-certificates.ts'
import { getObject } from '../s3/get-object.ts'
import type { Certificate } from '../schemas/certificate.ts'
import { certificateKey } from '../workers/verifier/log-files.ts'
import type { ErasedPerson, ErasureWorld } from './erased-person.ts'

// What stands between somebody's erasure and their certificates, for tests of the verifier.

/** As a batch does that could not reach these stores. */
export async function noteAway(
  { postgres }: ErasureWorld,
  { requestId }: ErasedPerson,
  stores: string[],
): Promise<void> {
  await enqueueRequests(postgres, [requestId], 'erase')
  const { batchId } = (await claimBatch(postgres, 'erase', 1))!
  await noteUnreachable(postgres, batchId, stores)
  await finishBatch(postgres, batchId)
}

/** In the vault. */
export async function plantSurvivor({ postgres }: ErasureWorld, { subjectIds }: ErasedPerson): Promise<void> {
  await postgres.query(
    'plant_survivor',
    `INSERT INTO users_public (subject_id, app, traits) VALUES ($1, 'shop', '{}')`,
    [subjectIds[0]],
  )
}

/** As if it had passed by itself. */
export async function removeSurvivor(
  { postgres }: ErasureWorld,
  { subjectIds }: ErasedPerson,
): Promise<void> {
  await postgres.query('remove_survivor', 'DELETE FROM users_public WHERE subject_id = $1', [subjectIds[0]])
}

/** @returns the id of a hold that is sealed */
export async function holdEmail(
  { postgres }: ErasureWorld,
  { requestId }: ErasedPerson,
  untilMs: number,
): Promise<string> {
  const holdId = randomUUID()
  const wish = { holdId, fields: ['email'], article: 'GDPR Art. 17(3)(e)', untilMs, placedBy: 'test' }
  await createHold(postgres, requestId, wish)
  await sealHold(postgres, { holdId, key: randomBytes(32) }, [{ email: 'held@example.com' }])
  return holdId
}

/** What the log has of their request, in its order: `certificate`, or `certificate, withdrawn`. */
export async function kindsOf({ postgres }: ErasureWorld, { requestId }: ErasedPerson): Promise<string[]> {
  const listed = await listCertificates(postgres, requestId)
  return listed.map(({ kind, superseded }) => (superseded ? `${kind}, withdrawn` : kind))
}

/** A statement as the log's bucket has it. */
export async function readLogged(
  { s3 }: ErasureWorld,
  digest: string,
): Promise<{ bytes: Buffer; certificate: Certificate }> {
  const bytes = (await getObject(s3, 'log', certificateKey(digest)))!
  return { bytes, certificate: parseCertificate(parseCanonicalJson(bytes)) }
}
