import type { Certificate } from '../schemas/certificate.ts'
import { parseCanonicalJson } from './canonical-json.ts'
import { CertificateError, type CertificateErrorCode } from './certificate-error.ts'
import { type OpenedCheckpoint, openCheckpoint } from './open-checkpoint.ts'
import { digestOf, leafOf, parseCertificate } from './read-certificate.ts'
import { checkStanding, type History, readHistory } from './read-history.ts'
import type { Identifier } from './subject-commitment.ts'
import { parseTlogProof, type TlogProof } from './tlog-proof.ts'
import type { TrustedKeys } from './trusted-keys.ts'
import {
  type Cosignature,
  checkContents,
  checkFreshness,
  checkInclusion,
  checkRetirement,
  checkSignatures,
  checkSubject,
  findKey,
  type Known,
  logsOf,
  readCosignatures,
  readLogTime,
} from './verification-checks.ts'

export interface VerifyInput {
  /** The file, byte for byte. */
  certificate: Uint8Array
  /** The `.tlog-proof` file, byte for byte. */
  proof: Uint8Array
  keys: TrustedKeys
  /** How many of `keys.witnesses` must have cosigned; all of them, unless said otherwise. */
  witnessQuorum?: number
  /** Entries of the log: either all up to the proof's size, or all after the certificate's. */
  leaves?: readonly Uint8Array[]
  /** Whose certificate the asker holds it to be. */
  subject?: Identifier & { salt: Uint8Array }
  /** Hex hash of the data map that the asker knows. */
  dataMap?: string
  /** The newest head that the asker has seen, with a consistency proof from it. */
  known?: Known
  /** Seconds since 1970: a head dated before this is stale. */
  freshAfterSeconds?: number
}

export type CheckName =
  | 'canonical-form'
  | 'schema'
  | 'data'
  | 'key'
  | 'signature'
  | 'proof-form'
  | 'origin'
  | 'checkpoint-signature'
  | 'inclusion'
  | 'time'
  | 'witnesses'
  | 'freshness'
  | 'supersession'
  | 'key-retirement'
  | 'subject'

export interface Check {
  name: CheckName
  ok: boolean
  /** What was found, or why not. Where there was nothing to look at, it starts with "not checked". */
  reason?: string
  code?: CertificateErrorCode
}

export interface Verification {
  ok: boolean
  /** In order. When `ok` is false the last one is the refusal: what stands behind a broken check means nothing. */
  checks: Check[]
  /** Why not, when `ok` is false. */
  code?: CertificateErrorCode
  /** Only when ok: the log's head that this verdict speaks of, and who dated it last. */
  asOf?: { size: number; time: string; datedBy: string }
  /** Names of the trusted witnesses that cosigned that head. */
  cosignedBy: string[]
  /** Only when ok. */
  certificate?: Certificate
}

/**
 * Verifies a certificate with public keys alone: no network, no clock, none of the signer's code. The input is hostile;
 * each refusal has a closed code. Milliseconds; O(entries) when `leaves` are given.
 */
export function verifyCertificate(input: VerifyInput): Verification {
  const checks: Check[] = []
  try {
    return { ok: true, checks, ...runChecks(input, createStep(checks)) }
  } catch (error) {
    // Anything else is a fault of this program and must not look like a verdict.
    if (!(error instanceof CertificateError)) throw error
    return { ok: false, checks, code: error.code, cosignedBy: [] }
  }
}

const NOT_CHECKED = 'not checked: nothing given to compare with'

type Step = <T>(name: CheckName, check: () => T, say?: (value: T) => string) => T

function createStep(checks: Check[]): Step {
  return (name, check, say) => {
    try {
      const value = check()
      checks.push(say ? { name, ok: true, reason: say(value) } : { name, ok: true })
      return value
    } catch (error) {
      if (error instanceof CertificateError) {
        checks.push({ name, ok: false, code: error.code, reason: error.message })
      }
      throw error
    }
  }
}

function runChecks(input: VerifyInput, step: Step): Omit<Verification, 'ok' | 'checks'> {
  const { keys } = input
  // 1. The certificate by itself.
  const json = step('canonical-form', () => parseCanonicalJson(input.certificate))
  const certificate = step(
    'schema',
    () => parseCertificate(json),
    ({ kind }) => `a statement of kind "${kind}"`,
  )
  step('data', () => checkContents(certificate, input.dataMap))
  const key = step(
    'key',
    () => findKey(certificate, keys),
    (found) => found.key.name,
  )
  step('signature', () => checkSignatures(certificate, keys))

  // 2. Its place in the log.
  const proof = step('proof-form', () => parseTlogProof(input.proof))
  const logs = step(
    'origin',
    () => logsOf(certificate, keys),
    () => certificate.origin,
  )
  const opened = step('checkpoint-signature', () => openCheckpoint(proof.checkpoint, logs))
  const digest = digestOf(input.certificate)
  step(
    'inclusion',
    () => checkInclusion(leafOf(certificate, digest), proof, opened.head),
    () => `leaf ${proof.index} of ${opened.head.size}`,
  )

  // 3. The log itself, and what it says since.
  const { asOf, cosignedBy } = checkHead(input, opened, certificate, step)
  checkHistory(input, { certificate, digest, proof, opened }, key, step)
  step(
    'subject',
    () => checkSubject(certificate, input.subject),
    whether(input.subject, 'the identifier fits'),
  )
  return { asOf, cosignedBy, certificate }
}

function checkHead(input: VerifyInput, opened: OpenedCheckpoint, certificate: Certificate, step: Step) {
  const { head } = opened
  const logTime = step('time', () => readLogTime(opened, certificate), isoTime)
  const cosignatures = step(
    'witnesses',
    () => readCosignatures(opened, input.keys.witnesses, input.witnessQuorum),
    (found) =>
      found.length > 0 ? found.map(({ name }) => name).join(', ') : 'not checked: no witness key given',
  )
  const newest = cosignatures.reduce((best: Cosignature, one) => (one.time > best.time ? one : best), {
    name: head.origin,
    time: logTime,
  })
  step(
    'freshness',
    () => checkFreshness(head, newest.time, input.known, input.freshAfterSeconds, input.leaves),
    whether(input.known ?? input.freshAfterSeconds, 'as new as asked for'),
  )
  const asOf = { size: head.size, time: isoTime(newest.time), datedBy: newest.name }
  return { asOf, cosignedBy: cosignatures.map(({ name }) => name) }
}

function checkHistory(
  { leaves }: VerifyInput,
  found: { certificate: Certificate; digest: string; proof: TlogProof; opened: OpenedCheckpoint },
  key: TrustedKeys['certificates'][number],
  step: Step,
): void {
  const { certificate, digest, proof, opened } = found
  // The last leaf has none after it: an empty list is its whole future, and needs not be given.
  const entries = leaves ?? (proof.index + 1 === opened.head.size ? [] : undefined)
  const history = step(
    'supersession',
    () => {
      const read: History | undefined = entries && readHistory(entries, proof, opened.head)
      if (read) checkStanding(certificate, digest, proof.index, read)
      return read
    },
    sayHistory,
  )
  step(
    'key-retirement',
    () => checkRetirement(key, proof.index, history),
    whether(key.retiredAt ?? (history?.start === 0 || undefined), 'its key was in use'),
  )
}

function whether(given: unknown, found: string): () => string {
  return () => (given === undefined ? NOT_CHECKED : found)
}

function sayHistory(history: History | undefined): string {
  if (!history) return NOT_CHECKED
  const { start, leaves } = history
  return leaves.length > 0
    ? `not withdrawn by leaves ${start} to ${start + leaves.length - 1}`
    : 'it is the last leaf'
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
