import type { Certificate } from '../schemas/certificate.ts'
import { CertificateError } from './certificate-error.ts'
import { type Checkpoint, verifyCosignature } from './checkpoint.ts'
import { hashLeaf, isConsistent, rootFromInclusion, rootOf, type TreeHead } from './merkle-proof.ts'
import type { OpenedCheckpoint } from './open-checkpoint.ts'
import { createVerifyingKey, type PublicKey } from './public-key.ts'
import { checkData, checkSignatureList, signedBytes } from './read-certificate.ts'
import { type History, retirementOf } from './read-history.ts'
import { findSignature } from './signed-note.ts'
import { type Identifier, isCommittedTo } from './subject-commitment.ts'
import type { TlogProof } from './tlog-proof.ts'
import type { TrustedKeys } from './trusted-keys.ts'

/** Clocks of the signer and of the log may differ by so much. */
const CLOCK_SKEW_SECONDS = 300

type TrustedKey = TrustedKeys['certificates'][number]

export function checkContents(certificate: Certificate, dataMap: string | undefined): void {
  checkData(certificate)
  checkSignatureList(certificate)
  if (dataMap === undefined) return
  if (!('dataMap' in certificate) || certificate.dataMap !== dataMap) {
    throw new CertificateError('data-map-mismatch', 'another list of places was looked into')
  }
}

export function findKey(certificate: Certificate, keys: TrustedKeys): TrustedKey {
  const found = keys.certificates.find(({ key }) => key.fingerprint === certificate.key)
  if (!found) throw new CertificateError('unknown-key', 'signed with a key that is not among those given')
  return found
}

/** The named key must have signed; other known ones must hold where they signed; unknown ones are ignored. */
export function checkSignatures(certificate: Certificate, keys: TrustedKeys): void {
  const { signatures, ...body } = certificate
  const message = signedBytes(body)
  if (!signatures.some(({ key }) => key === certificate.key)) {
    throw new CertificateError('bad-signature', 'the named key has not signed')
  }
  for (const { key, value } of signatures) {
    const known = keys.certificates.find((one) => one.key.fingerprint === key)
    if (known && !known.key.verify(message, Buffer.from(value, 'base64'))) {
      throw new CertificateError('bad-signature', 'the signature does not hold')
    }
  }
}

/** The keys of the certificate's own log: a proof out of another log, however well known, does not count. */
export function logsOf(certificate: Certificate, keys: TrustedKeys): PublicKey[] {
  const logs = keys.logs.filter(({ name }) => name === certificate.origin)
  if (logs.length === 0)
    throw new CertificateError('wrong-origin', 'no key of the log that the certificate names')
  return logs
}

export function checkInclusion(leaf: Uint8Array, proof: TlogProof, head: Checkpoint): void {
  const root = rootFromInclusion(hashLeaf(leaf), proof.index, head.size, proof.hashes)
  if (!root?.equals(head.root)) {
    throw new CertificateError('not-included', "the proof does not lead to the checkpoint's root")
  }
}

/** The log's own timestamp, required, since a head without a time cannot be told from an old one. Seconds since 1970. */
export function readLogTime({ head, note, log }: OpenedCheckpoint, certificate: Certificate): number {
  const clock = createVerifyingKey('witness', log.name, log.raw)
  const line = findSignature(note, clock)
  if (!line) throw new CertificateError('checkpoint-unsigned', 'the log has not dated this checkpoint')
  const time = verifyCosignature(clock, note.text, line)
  if (time === undefined)
    throw new CertificateError('checkpoint-bad-signature', "the log's date does not hold")
  if (Date.parse(certificate.issuedAt) / 1000 > time + CLOCK_SKEW_SECONDS) {
    throw new CertificateError('issued-in-future', `issued after the log's head of size ${head.size}`)
  }
  return time
}

export interface Cosignature {
  name: string
  /** Seconds since 1970. */
  time: number
}

/** One count a key, however often it is listed. */
export function readCosignatures(
  { note }: OpenedCheckpoint,
  trusted: readonly PublicKey[],
  quorum: number | undefined,
): Cosignature[] {
  const witnesses = [...new Map(trusted.map((key) => [key.raw.toString('hex'), key])).values()]
  const cosignatures = witnesses.flatMap((key) => {
    const line = findSignature(note, key)
    if (!line) return []
    const time = verifyCosignature(key, note.text, line)
    if (time === undefined)
      throw new CertificateError('witness-bad-signature', "a witness's signature does not hold")
    return [{ name: key.name, time }]
  })
  const needed = quorum ?? witnesses.length
  if (cosignatures.length < needed) {
    throw new CertificateError(
      'witness-missing',
      `${cosignatures.length} of ${needed} required witnesses cosigned`,
    )
  }
  return cosignatures
}

export interface Known extends TreeHead {
  consistency?: readonly Buffer[]
}

/** @param entries every entry of the log, if at hand: they show consistency as well as a proof does. */
export function checkFreshness(
  head: TreeHead,
  timeSeconds: number,
  known: Known | undefined,
  freshAfterSeconds: number | undefined,
  entries: readonly Uint8Array[] | undefined,
): void {
  if (freshAfterSeconds !== undefined && timeSeconds < freshAfterSeconds) {
    throw new CertificateError('stale-checkpoint', 'the log was last dated before the time asked for')
  }
  if (!known) return
  if (head.size < known.size) {
    throw new CertificateError('stale-checkpoint', `the log had ${known.size} leaves already`)
  }
  const whole = entries?.length === head.size ? entries : undefined
  const extended = whole
    ? rootOf(whole.slice(0, known.size).map(hashLeaf)).equals(known.root)
    : isConsistent(known, head, known.consistency ?? [])
  if (!extended)
    throw new CertificateError('inconsistent', 'nothing shows that this log extends the one already seen')
}

/** A retired key signs nothing behind its retirement, whatever date it writes: the log's order decides. */
export function checkRetirement(
  { key, retiredAt }: TrustedKey,
  index: number,
  history: History | undefined,
): void {
  const logged = history && retirementOf(key.fingerprint, history)
  const retired = Math.min(retiredAt ?? Number.POSITIVE_INFINITY, logged ?? Number.POSITIVE_INFINITY)
  if (index > retired)
    throw new CertificateError('key-retired', `logged after leaf ${retired} retired its key`)
}

export function checkSubject(
  certificate: Certificate,
  subject: (Identifier & { salt: Uint8Array }) | undefined,
): void {
  if (!subject) return
  if (!('subject' in certificate) || !isCommittedTo(certificate.subject, subject.salt, subject)) {
    throw new CertificateError(
      'subject-mismatch',
      'the certificate is about someone else, or the salt is another',
    )
  }
}
