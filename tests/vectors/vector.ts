import type { CertificateErrorCode } from '../../certificates/certificate-error.ts'
import { formatPublicKey } from '../../certificates/public-key.ts'
import { parseTrustedKeys, type TrustedKeys } from '../../certificates/trusted-keys.ts'
import type { VerifyInput } from '../../certificates/verify-certificate.ts'
import type { IdentifierLabel } from '../../schemas/certificate.ts'

/** One test of a verifier, as JSON: what it is given, and its verdict. */
export interface Vector {
  name: string
  /** `ok`, or the code of the refusal. */
  expect: 'ok' | CertificateErrorCode
  /** Both are files, as text. */
  certificate: string
  proof: string
  /** The key file. */
  keys: string
  witnessQuorum?: number
  /** Entries of the log, as text. */
  leaves?: string[]
  /** `salt` in hex. */
  subject?: { label: IdentifierLabel; value: string; salt: string }
  dataMap?: string
  /** Hashes in base64. */
  known?: { size: number; root: string; consistency?: string[] }
  freshAfterSeconds?: number
}

/** A case in the terms of `verifyCertificate`, before it is written down. */
export interface Case extends Omit<VerifyInput, 'keys'> {
  name: string
  expect: Vector['expect']
  keys: TrustedKeys
}

export function writeVector({ name, expect, certificate, proof, keys, ...rest }: Case): Vector {
  const { leaves, subject, known, ...plain } = rest
  return {
    name,
    expect,
    certificate: Buffer.from(certificate).toString(),
    proof: Buffer.from(proof).toString(),
    keys: formatKeys(keys),
    ...plain,
    ...(leaves && { leaves: leaves.map((leaf) => Buffer.from(leaf).toString()) }),
    ...(subject && { subject: { ...subject, salt: Buffer.from(subject.salt).toString('hex') } }),
    ...(known && {
      known: {
        size: known.size,
        root: known.root.toString('base64'),
        ...(known.consistency && { consistency: known.consistency.map((hash) => hash.toString('base64')) }),
      },
    }),
  }
}

export function readVector(vector: Vector): VerifyInput {
  const { name: _, expect: __, leaves, subject, known, ...plain } = vector
  return {
    ...plain,
    certificate: Buffer.from(vector.certificate),
    proof: Buffer.from(vector.proof),
    keys: parseTrustedKeys(vector.keys),
    ...(leaves && { leaves: leaves.map((leaf) => Buffer.from(leaf)) }),
    ...(subject && { subject: { ...subject, salt: Buffer.from(subject.salt, 'hex') } }),
    ...(known && {
      known: {
        size: known.size,
        root: Buffer.from(known.root, 'base64'),
        ...(known.consistency && {
          consistency: known.consistency.map((hash) => Buffer.from(hash, 'base64')),
        }),
      },
    }),
  }
}

/** The text of a key file. */
export function formatKeys({ logs, certificates, witnesses }: TrustedKeys): string {
  const lines = [
    ...logs.map(formatPublicKey),
    ...certificates.map(({ key, retiredAt }) =>
      retiredAt === undefined ? formatPublicKey(key) : `${formatPublicKey(key)} retired ${retiredAt}`,
    ),
    ...witnesses.map(formatPublicKey),
  ]
  return `${lines.join('\n')}\n`
}
