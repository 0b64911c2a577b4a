import { deriveSubjectKeys } from '../gate/subject-keys.ts'
import type { RevocationPublisher } from '../kafka/revocations.ts'
import type { SubjectStatePublisher } from '../kafka/subject-states.ts'
import { blockSubjects, type ClosureStart } from '../postgres/block-subjects.ts'
import type { TransactingPostgres } from '../postgres/client.ts'
import type { Keyring } from '../postgres/keyring.ts'
import {
  addProgress,
  contactsOf,
  type PrivacyRequest,
  readObservedIds,
  readRequest,
  readSealed,
  writeSealed,
} from '../postgres/privacy-requests.ts'
import type { ErasedSubject, SealedErasure } from '../schemas/erasure.ts'

export interface BlockDeps {
  postgres: TransactingPostgres
  keyring: Pick<Keyring, 'readSecrets' | 'appLookupKey'>
  states: SubjectStatePublisher
  revocations: RevocationPublisher
}

/** What a request remembers of its block, in `progress.block`. */
export interface BlockProgress {
  /** Offset of the last revocation; -1 for none. */
  rev: number
  /** When all was published, by Postgres's clock, milliseconds since 1970. */
  atMs: number
  subjects: number
}

/**
 * Blocks the closure of a request: marks in Postgres, what is known of it into the sealed row, then states for the
 * collectors and revocations for ingest. In this order, so that whatever was published can be withdrawn or lifted by
 * somebody who reads the row. Repeats add what was born since, until the block is lifted: who is born after that has returned, as
 * somebody new, and nobody asked to erase them.
 */
export async function publishBlock(deps: BlockDeps, requestId: string): Promise<BlockProgress> {
  const { postgres, states, revocations } = deps
  const request = await readRequest(postgres, requestId)
  if (request.progress.cutoff !== undefined) return request.progress.block as BlockProgress
  const sealed = await readSealed(deps, requestId)
  const content = await addClosure(deps, request, sealed)
  await writeSealed(deps, requestId, content)

  await states.publish(requestId, content.handles.map(fromHex), {
    s: 'blocked',
    at: request.receivedAt.getTime(),
  })
  const tokens = content.subjects.map((subject) => fromHex(subject.token))
  const rev = Number(await revocations.publishAll(tokens, request.receivedAt.getTime()))
  const block = { rev, atMs: await readClock(postgres), subjects: content.subjects.length }
  await addProgress(postgres, requestId, { block, subjects: block.subjects })
  return block
}

/**
 * Whom a request names. Who comes to carry an address after the block is in force is not meant: nothing stops new people from giving
 * it, as they cannot take a handle, and the closure must come to an end. Whoever the verifier has seen is meant too, though they may
 * have given another address since: it forgets nobody, and would wait for them.
 */
export async function closureStart(
  deps: Pick<BlockDeps, 'postgres' | 'keyring'>,
  { requestId, app, blockedAt }: PrivacyRequest,
  { handles, identifiers }: SealedErasure,
): Promise<ClosureStart> {
  const hashes = contactsOf(await deps.keyring.appLookupKey(app), identifiers)
  const subjectIds = await readObservedIds(deps, requestId)
  return { handles: handles.map(fromHex), contacts: { hashes, until: blockedAt }, subjectIds }
}

async function addClosure(
  deps: BlockDeps,
  request: PrivacyRequest,
  sealed: SealedErasure,
): Promise<SealedErasure> {
  const start = await closureStart(deps, request, sealed)
  const closure = await blockSubjects(deps.postgres, { requestId: request.requestId, ...start })
  const known = new Map(sealed.subjects.map((subject) => [subject.subjectId, subject]))
  const added = closure.filter((one) => !known.has(one.subjectId))
  const secrets = await deps.keyring.readSecrets(added.map((one) => one.subjectId))
  for (const { subjectId, handle } of added) {
    const secret = secrets.get(subjectId)
    // Destroyed already, by an erasure that ended meanwhile: it has no token any more that rows could bear.
    if (!secret) continue
    const token = deriveSubjectKeys(secret).token.toString('hex')
    known.set(subjectId, { subjectId, handle: handle.toString('hex'), token } satisfies ErasedSubject)
  }
  const handles = new Set([...sealed.handles, ...closure.map((one) => one.handle.toString('hex'))])
  return { ...sealed, handles: [...handles], subjects: [...known.values()] }
}

/** Handles among these whose subject another request blocks. */
export async function blockedByOthers(
  postgres: Pick<TransactingPostgres, 'query'>,
  requestId: string,
  handles: readonly string[],
): Promise<Set<string>> {
  const rows = await postgres.query<{ handle: Buffer }>(
    'blocked_by_others',
    `SELECT DISTINCT s.handle FROM subjects s JOIN subject_blocks b USING (subject_id)
     WHERE s.handle = ANY($1::bytea[]) AND b.request_id <> $2`,
    [handles.map(fromHex), requestId],
  )
  return new Set(rows.map((row) => row.handle.toString('hex')))
}

/** Milliseconds since 1970 by the clock that all workers share. */
export async function readClock(postgres: Pick<TransactingPostgres, 'query'>): Promise<number> {
  const rows = await postgres.query<{ now: string }>(
    'read_clock',
    'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::text AS now',
    [],
  )
  return Number(rows[0]!.now)
}

export function fromHex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
