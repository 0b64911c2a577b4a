import { parseCanonicalJson } from '../../certificates/canonical-json.ts'
import { hashLeaf } from '../../certificates/merkle-proof.ts'
import { digestOf, parseCertificate, parseLeaf } from '../../certificates/read-certificate.ts'
import { type SignedCertificate, signCertificate } from '../../certificates/sign-certificate.ts'
import { signCheckpoint } from '../../certificates/sign-checkpoint.ts'
import { newEntryBundles, newTiles } from '../../certificates/tiles.ts'
import { formatTlogProof } from '../../certificates/tlog-proof.ts'
import { withAdvisoryLock } from '../../postgres/advisory-lock.ts'
import type { Postgres } from '../../postgres/client.ts'
import { EbbError } from '../../runtime/errors.ts'
import { faultPoint } from '../../runtime/fault.ts'
import { inLanes } from '../../runtime/in-lanes.ts'
import type { S3 } from '../../s3/client.ts'
import { getObject } from '../../s3/get-object.ts'
import { putObject } from '../../s3/put-object.ts'
import type { WitnessClient } from './ask-witness.ts'
import {
  CHECKPOINT_KEY,
  certificateKey,
  LANES,
  type PublishedHead,
  proofKey,
  readCheckpoint,
  writeTiles,
} from './log-files.ts'
import {
  type LoggedStatement,
  listLogged,
  readStatements,
  type StatementToStore,
  storeStatements,
} from './logged-statements.ts'
import { type OpenLog, openLog } from './open-log.ts'
import { writeSignedHead } from './signed-head.ts'
import { openSigningKeys, type SigningKeys } from './signing-keys.ts'

export type LogErrorCode = 'log_forked' | 'lock_lost' | 'signing_keys_exposed' | 'signing_keys_unreadable'

/** What is signed, without what the writer adds. */
export type StatementBody = Parameters<typeof signCertificate>[0]

export interface StatementWish {
  /** null for statements about the log itself. */
  requestId: string | null
  /**
   * Says what to sign, or which statement of the log says it already, so that a repeat after a crash adds nothing.
   * @param history what the log says of the request, in its order
   */
  decide(
    history: readonly LoggedStatement[],
    keys: SigningKeys,
    /** The leaf that retired the key of this fingerprint. */
    retiredAt: (fingerprint: string) => LoggedStatement | undefined,
  ): LoggedStatement | StatementBody
}

export interface LogWriterDeps {
  postgres: Postgres
  /** For the lock, which has a connection of its own. */
  postgresUrl: string
  s3: S3
  folder: string
  origin: string
  witnesses: readonly WitnessClient[]
  /** Milliseconds since 1970. */
  now(): number
}

export type Appended = { logged: LoggedStatement } | { error: unknown }

/** Name of the lock that whoever appends to the log holds. */
export const LOG_LOCK = 'ebb transparency log'

export interface LogWriter {
  /**
   * Appends all that is wished for under one checkpoint. @returns by wish, in order; a wish that says no, or whose body a
   * verifier would refuse, fails alone.
   */
  append(wishes: readonly StatementWish[]): Promise<Appended[]>
}

/**
 * Writes the log. One writer at a time, by an advisory lock that is held for a batch only, so that several verifiers and
 * an operator's command can take turns. What a batch does, in this order, so that a crash anywhere loses no leaf and
 * writes none twice:
 *
 *   1. certificates as objects      a leaf is never without its certificate
 *   2. tiles and entries            a checkpoint is never without its tiles
 *   3. the head, in our own folder  from here on the batch counts; a restart publishes it
 *   4. the checkpoint               readers see it
 *   5. witnesses' cosignatures      those that answer in time; the checkpoint is written again with them
 *   6. proofs, and rows in Postgres a restart makes up for those that are missing
 */
export function createLogWriter(deps: LogWriterDeps): LogWriter {
  let held: OpenLog | undefined
  return {
    append: (wishes) =>
      withAdvisoryLock(deps.postgresUrl, LOG_LOCK, async (requireHeld) => {
        const keys = await openSigningKeys(deps.folder, deps.origin)
        const log = (await unchanged(deps, keys, held)) ?? (await takeUp(deps, keys, requireHeld))
        // Whatever fails from here on leaves memory behind storage: the next batch reads again.
        held = undefined
        const answers = await appendAll(deps, keys, log, wishes, requireHeld)
        held = log
        return answers
      }),
  }
}

/** The log in memory, unless somebody else has written since. */
async function unchanged(
  deps: LogWriterDeps,
  keys: SigningKeys,
  held: OpenLog | undefined,
): Promise<OpenLog | undefined> {
  if (!held) return undefined
  const published = await readCheckpoint(deps.s3, keys.log.key)
  const { size, root } = held.tree.head()
  const same = (published?.size ?? 0) === size && (!published || published.root.equals(root))
  return same ? held : undefined
}

/** The stored log, with whatever a crash has left to be done. */
async function takeUp(
  deps: LogWriterDeps,
  keys: SigningKeys,
  requireHeld: () => Promise<void>,
): Promise<OpenLog> {
  const log = await openLog(deps.s3, keys, deps.folder)
  if (log.tree.size() > (log.published?.size ?? 0)) await publish(deps, keys, log, requireHeld)
  await settle(deps, log)
  return log
}

async function appendAll(
  deps: LogWriterDeps,
  keys: SigningKeys,
  log: OpenLog,
  wishes: readonly StatementWish[],
  requireHeld: () => Promise<void>,
): Promise<Appended[]> {
  const requestIds = wishes.flatMap((wish) => wish.requestId ?? [])
  const known = await readStatements(deps.postgres, requestIds)
  const signed: SignedCertificate[] = []
  const answers: Appended[] = []
  const older = log.tree.size()
  const retirements = (fingerprint: string) => retirementOf(log, fingerprint)
  for (const wish of wishes) {
    try {
      const history = known.filter((one) => one.requestId === wish.requestId)
      const decision = wish.decide(history, keys, retirements)
      const made = 'digest' in decision ? undefined : sign(decision, keys)
      const logged = made
        ? describe(made, wish.requestId, older + signed.length)
        : (decision as LoggedStatement)
      answers.push({ logged })
      if (!made) continue
      signed.push(made)
      if (made.certificate.kind === 'supersession') markWithdrawn(known, made.certificate.supersedes)
      known.push(logged)
    } catch (error) {
      answers.push({ error })
    }
  }
  if (signed.length === 0) return answers

  await inLanes(signed, LANES, ({ digest, bytes }) =>
    putObject(deps.s3, 'log', certificateKey(digest), bytes, 'application/json'),
  )
  faultPoint('log.certificates-stored')
  for (const { leaf } of signed) addLeaf(log, leaf)
  await writeTiles(deps.s3, [
    ...newEntryBundles((index) => log.entries[index]!, older, log.tree.size()),
    ...newTiles(log.tree, older),
  ])
  faultPoint('log.tiles-stored')
  await requireHeld()
  await publish(deps, keys, log, requireHeld)
  await finish(
    deps,
    log,
    signed.map((made, at) => ({ ...made, logIndex: older + at })),
  )
  return answers
}

function retirementOf(log: OpenLog, fingerprint: string): LoggedStatement | undefined {
  const logIndex = log.leaves.findIndex(
    (leaf) => leaf.kind === 'key-retirement' && leaf.about === fingerprint,
  )
  const digest = log.leaves[logIndex]?.certificate
  return digest === undefined
    ? undefined
    : { digest, requestId: null, kind: 'key-retirement', logIndex, superseded: false }
}

/** For wishes behind it in the same batch. */
function markWithdrawn(known: LoggedStatement[], digest: string): void {
  for (const one of known) if (one.digest === digest) one.superseded = true
}

function addLeaf(log: OpenLog, leaf: Buffer): void {
  log.entries.push(leaf)
  log.leaves.push(parseLeaf(leaf))
  log.tree.append(hashLeaf(leaf))
}

/** A key signs its successor's statements no more; a retirement is signed by every key that is there. */
function sign(body: StatementBody, keys: SigningKeys): SignedCertificate {
  const [newest, ...others] = [...keys.certificates].reverse()
  return signCertificate(body, newest!, body.kind === 'key-retirement' ? others : [])
}

function describe(
  { certificate, digest }: SignedCertificate,
  requestId: string | null,
  logIndex: number,
): LoggedStatement {
  return { digest, requestId, kind: certificate.kind, logIndex, superseded: false }
}

/** Signs the whole tree's head and lets it be seen. The head is remembered first: it can be signed for one root only. */
async function publish(
  deps: LogWriterDeps,
  keys: SigningKeys,
  log: OpenLog,
  requireHeld: () => Promise<void>,
): Promise<void> {
  const head = log.tree.head()
  await writeSignedHead(deps.folder, head)
  faultPoint('log.head-kept')
  await requireHeld()
  let text = signCheckpoint(head, keys.log, Math.floor(deps.now() / 1_000))
  await putObject(deps.s3, 'log', CHECKPOINT_KEY, text, 'text/plain; charset=utf-8')
  faultPoint('log.checkpoint-published')
  const lines = await Promise.all(deps.witnesses.map((witness) => witness.cosign(text, log.tree)))
  const given = lines.filter((line) => line !== undefined)
  if (given.length > 0) {
    text += given.map((line) => `${line}\n`).join('')
    await requireHeld()
    await putObject(deps.s3, 'log', CHECKPOINT_KEY, text, 'text/plain; charset=utf-8')
  }
  faultPoint('log.cosigned')
  log.published = { text, ...head } satisfies PublishedHead
}

/** Proofs as objects, then rows: a row in Postgres says that all of a statement's files are there. */
async function finish(
  { s3, postgres }: LogWriterDeps,
  log: OpenLog,
  statements: readonly (Omit<StatementToStore, 'proof'> & { logIndex: number })[],
): Promise<void> {
  const complete = await inLanes(statements, LANES, async (one) => {
    const proof = proofOf(log, one.logIndex)
    await putObject(s3, 'log', proofKey(one.digest), proof, 'text/plain; charset=utf-8')
    return {
      certificate: one.certificate,
      bytes: one.bytes,
      digest: one.digest,
      logIndex: one.logIndex,
      proof,
    }
  })
  faultPoint('log.proofs-stored')
  await storeStatements(postgres, complete)
  faultPoint('log.rows-stored')
}

/** Proof of a leaf under the published checkpoint. */
export function proofOf(log: OpenLog, index: number): string {
  const { text, size } = log.published!
  return formatTlogProof({ index, hashes: log.tree.inclusion(index, size), checkpoint: text })
}

/**
 * Holds the table of certificates against the log, and adds the rows that a crash kept from being written.
 * @throws EbbError `log_forked` when the table knows a leaf that the log has not
 */
async function settle(deps: LogWriterDeps, log: OpenLog): Promise<void> {
  const rows = await listLogged(deps.postgres)
  const stored = new Set<number>()
  for (const { index, digest } of rows) {
    if (log.leaves[index]?.certificate !== digest) {
      throw new EbbError(
        'log_forked',
        `a certificate was issued as leaf ${index}, and the log has another there`,
      )
    }
    stored.add(index)
  }
  const missing = log.leaves.flatMap((leaf, index) => (stored.has(index) ? [] : { index, leaf }))
  const found = await inLanes(missing, LANES, async ({ index, leaf }) => {
    const bytes = await getObject(deps.s3, 'log', certificateKey(leaf.certificate))
    if (!bytes || digestOf(bytes) !== leaf.certificate) {
      throw new EbbError('log_forked', `the certificate of leaf ${index} is not in the bucket`)
    }
    const certificate = parseCertificate(parseCanonicalJson(bytes))
    return { certificate, bytes, digest: leaf.certificate, logIndex: index }
  })
  await finish(deps, log, found)
}
