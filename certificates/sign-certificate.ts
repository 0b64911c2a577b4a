import { type Certificate, CertificateBody } from '../schemas/certificate.ts'
import { canonicalJson } from './canonical-json.ts'
import { CertificateError } from './certificate-error.ts'
import { checkData, digestOf, leafOf, signedBytes } from './read-certificate.ts'
import type { Signer } from './signer.ts'

export interface SignedCertificate {
  certificate: Certificate
  /** The file: canonical JSON, no newline at its end. */
  bytes: Buffer
  /** Hex SHA-256 of the file. */
  digest: string
  /** What goes into the log. */
  leaf: Buffer
}

/**
 * Signs a statement. The first signer's fingerprint goes into the statement; others add signatures that a verifier who
 * does not know their keys ignores.
 * @throws CertificateError `schema` or `data` for what a verifier would refuse; `unknown-key` for a key of another use.
 */
export function signCertificate(
  body: Unkeyed<CertificateBody>,
  signer: Signer,
  others: readonly Signer[] = [],
): SignedCertificate {
  const signers = [signer, ...others]
  if (signers.some(({ key }) => key.use !== 'certificate')) {
    throw new CertificateError('unknown-key', 'this key is not for certificates')
  }
  const parsed = CertificateBody.safeParse({ ...body, key: signer.key.fingerprint })
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.join('.') || issue.code)
    throw new CertificateError('schema', `fields that do not fit: ${fields.join(', ')}`)
  }
  checkData(parsed.data)
  const message = signedBytes(parsed.data)
  const signatures = signers.map((one) => ({
    key: one.key.fingerprint,
    value: one.sign(message).toString('base64'),
  }))
  const certificate: Certificate = { ...parsed.data, signatures }
  const bytes = Buffer.from(canonicalJson(certificate))
  const digest = digestOf(bytes)
  return { certificate, bytes, digest, leaf: leafOf(certificate, digest) }
}

/** A body before its key is chosen, kind by kind. */
type Unkeyed<T> = T extends unknown ? Omit<T, 'key'> : never
