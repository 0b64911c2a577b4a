import { CertificateError } from './certificate-error.ts'
import { type PublicKey, parsePublicKey } from './public-key.ts'

/** What a verifier believes before it reads anything: handed over once, by another way than the certificate. */
export interface TrustedKeys {
  logs: PublicKey[]
  /** `retiredAt`: index of the log's leaf that retired the key; nothing logged after it counts. */
  certificates: { key: PublicKey; retiredAt?: number }[]
  witnesses: PublicKey[]
}

/**
 * Reads a key file: one key a line (`name+id+base64`), blank lines and `#` comments ignored, a retired key followed by
 * ` retired <log index>`.
 * @throws CertificateError `key-malformed`.
 */
export function parseTrustedKeys(text: string): TrustedKeys {
  const trusted: TrustedKeys = { logs: [], certificates: [], witnesses: [] }
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line === '' || line.startsWith('#')) continue
    const [, encoded, retired] = /^(\S+)(?: retired (0|[1-9]\d{0,14}))?$/.exec(line) ?? []
    if (!encoded)
      throw new CertificateError('key-malformed', 'a line of the key file is neither key nor comment')
    const key = parsePublicKey(encoded)
    if (key.use === 'certificate') {
      trusted.certificates.push(retired === undefined ? { key } : { key, retiredAt: Number(retired) })
      continue
    }
    if (retired !== undefined)
      throw new CertificateError('key-malformed', 'only a certificate key retires at an index')
    if (key.use === 'log') trusted.logs.push(key)
    else trusted.witnesses.push(key)
  }
  return trusted
}
