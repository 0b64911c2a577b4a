import { CertificateError } from './certificate-error.ts'

/**
 * Decodes standard base64 (RFC 4648, section 4) in its one canonical spelling. Decoders commonly ignore the unused bits
 * of the last character, so that several texts give the same bytes: a proof could be changed and still pass.
 * @throws CertificateError `not-canonical-base64`.
 */
export function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) {
    throw new CertificateError('not-canonical-base64', 'base64 that is not in its canonical spelling')
  }
  return bytes
}
