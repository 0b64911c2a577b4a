import { createHash } from 'node:crypto'
import type { z } from 'zod'
import { Certificate, type CertificateBody, LogLeaf } from '../schemas/certificate.ts'
import { decodeBase64 } from './canonical-base64.ts'
import { canonicalJson, type Json, parseCanonicalJson } from './canonical-json.ts'
import { CertificateError } from './certificate-error.ts'

/** First line of what is signed, so that a signature over a certificate can be one over nothing else. */
const LABEL = 'ebb.certificate/v1\n'

/** The bytes under a certificate's signatures: the label, then the canonical JSON without `signatures`. */
export function signedBytes(body: CertificateBody): Buffer {
  return Buffer.from(LABEL + canonicalJson(body))
}

/** What the log and later certificates call a certificate: `sha256sum certificate.json`. */
export function digestOf(certificate: Uint8Array): string {
  return createHash('sha256').update(certificate).digest('hex')
}

/** The log's leaf of a certificate. */
export function leafOf(certificate: Certificate | CertificateBody, digest: string): Buffer {
  const leaf = { version: 1, certificate: digest, kind: certificate.kind }
  if (certificate.kind === 'supersession') Object.assign(leaf, { about: certificate.supersedes })
  if (certificate.kind === 'key-retirement') Object.assign(leaf, { about: certificate.retires })
  return Buffer.from(canonicalJson(leaf))
}

/** @throws CertificateError `leaf-malformed`. */
export function parseLeaf(bytes: Uint8Array): LogLeaf {
  try {
    return LogLeaf.parse(parseCanonicalJson(bytes))
  } catch (cause) {
    throw new CertificateError('leaf-malformed', 'an entry of the log is not one of its leaves', { cause })
  }
}

/** @throws CertificateError `schema`, naming the fields and never their contents. */
export function parseCertificate(json: Json): Certificate {
  return parseWith(Certificate, json)
}

function parseWith<T>(schema: z.ZodType<T>, json: Json): T {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const fields = parsed.error.issues.slice(0, 5).map((issue) => issue.path.join('.') || issue.code)
  throw new CertificateError('schema', `fields that do not fit: ${fields.join(', ')}`)
}

/**
 * What a schema cannot say: the rules between fields. The signer holds them before it signs, the verifier before it
 * believes, so that no key can make "closed" mean less than it does.
 * @throws CertificateError `data`.
 */
export function checkData(certificate: CertificateBody): void {
  const { kind, issuedAt } = certificate
  if (kind === 'received' && certificate.deadline < issuedAt) throw data('a deadline before the request')
  if (kind === 'received' && certificate.previous) throw data('nothing comes before "received"')
  if ('subject' in certificate)
    refuseRepeats(certificate.subject.map((one) => `${one.label} ${one.commitment}`))
  if (!('receipts' in certificate)) return
  const { receipts, horizons } = certificate
  refuseRepeats(receipts.map((receipt) => receipt.store))
  const unreachable = receipts.flatMap(({ outcome, store }) => (outcome === 'unreachable' ? store : []))
  if (unreachable.length > 0 !== (kind === 'partial'))
    throw data('a store was unreachable if and only if it is partial')
  for (const receipt of receipts) {
    if (receipt.outcome === 'erased' && receipt.at > issuedAt) throw data('erased after it was certified')
    if (receipt.outcome === 'retained' && receipt.until <= issuedAt)
      throw data('retained until a day already past')
    if (receipt.outcome === 'unreachable' && receipt.since > issuedAt)
      throw data('unreachable from a later day')
    if (receipt.outcome === 'waiting' && !receipt.after.every((store) => unreachable.includes(store)))
      throw data('waiting for a store that was reached')
  }
  if (horizons.some(({ goneAt }) => goneAt !== undefined && goneAt > issuedAt))
    throw data('gone after it was certified')
  if (kind !== 'closed') return
  if (!certificate.previous) throw data('"closed" follows a certificate')
  if (horizons.some(({ goneAt }) => goneAt === undefined))
    throw data('"closed" while a copy is still to expire')
}

/** @throws CertificateError `data`, `not-canonical-base64`. */
export function checkSignatureList(certificate: Certificate): void {
  refuseRepeats(certificate.signatures.map(({ key }) => key))
  for (const { value } of certificate.signatures) decodeBase64(value)
}

function refuseRepeats(names: string[]): void {
  if (new Set(names).size !== names.length) throw data('something is listed twice')
}

function data(why: string): CertificateError {
  return new CertificateError('data', why)
}
