import { createHash, createPublicKey, verify } from 'node:crypto'
import { decodeBase64 } from './canonical-base64.ts'
import { CertificateError } from './certificate-error.ts'

/**
 * What a key may sign. One type byte (C2SP signed-note, "Signature types") each, so that a key given for one use is
 * never believed for another: 0x01 a log's notes, 0x04 a witness's timestamped cosignatures, 0xff ‖ label for types
 * without an assigned byte, which is ours.
 */
export type KeyUse = 'log' | 'witness' | 'certificate'

const TYPES: Record<KeyUse, Buffer> = {
  log: Buffer.from([0x01]),
  witness: Buffer.from([0x04]),
  certificate: Buffer.concat([Buffer.from([0xff]), Buffer.from('ebb.certificate/v1')]),
}

export interface PublicKey {
  use: KeyUse
  /** A log's name is its origin; a witness's name is what `verify` reports. */
  name: string
  /** Ed25519, 32 bytes. */
  raw: Buffer
  /** Hex SHA-256 of name, newline, type and key. Its first eight digits are the C2SP key ID. */
  fingerprint: string
  verify(message: Uint8Array, signature: Uint8Array): boolean
}

/** @throws CertificateError `key-malformed`. */
export function createVerifyingKey(use: KeyUse, name: string, raw: Uint8Array): PublicKey {
  if (!isKeyName(name))
    throw new CertificateError('key-malformed', 'a key name is empty or holds a space or a plus')
  if (raw.length !== 32) throw new CertificateError('key-malformed', 'an Ed25519 public key has 32 bytes')
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') }
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  return {
    use,
    name,
    raw: Buffer.from(raw),
    fingerprint: createHash('sha256').update(`${name}\n`).update(TYPES[use]).update(raw).digest('hex'),
    verify: (message, signature) => signature.length === 64 && verify(null, message, key, signature),
  }
}

/** C2SP's verifier key: `name+id+base64(type ‖ key)`. */
export function formatPublicKey(key: PublicKey): string {
  const encoded = Buffer.concat([TYPES[key.use], key.raw]).toString('base64')
  return `${key.name}+${key.fingerprint.slice(0, 8)}+${encoded}`
}

/** @throws CertificateError `key-malformed`, also when the ID is not that of the name and key. */
export function parsePublicKey(text: string): PublicKey {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? []
  if (!name || !id || !encoded) throw new CertificateError('key-malformed', 'not a key: name+id+base64')
  const bytes = decodeBase64(encoded)
  for (const use of ['log', 'witness', 'certificate'] as const) {
    const type = TYPES[use]
    if (bytes.length !== type.length + 32 || !bytes.subarray(0, type.length).equals(type)) continue
    const key = createVerifyingKey(use, name, bytes.subarray(type.length))
    if (!key.fingerprint.startsWith(id))
      throw new CertificateError('key-malformed', 'the key ID is of another key')
    return key
  }
  throw new CertificateError('key-malformed', 'a key of a type that is not known here')
}

/** Whether a text can name a key in a signature line. U+0085 is a space to others, though not to `\s`. */
export function isKeyName(name: string): boolean {
  return /^[^\s+\u0085]+$/.test(name)
}
