import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { createVerifyingKey, type KeyUse, type PublicKey } from './public-key.ts'

/** The secret half of a key. Whoever keeps keys elsewhere gives its own `sign`. */
export interface Signer {
  key: PublicKey
  /** Ed25519, 64 bytes. */
  sign(message: Uint8Array): Buffer
}

export function createSigner(use: KeyUse, name: string, privateKey: KeyObject): Signer {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  const key = createVerifyingKey(use, name, Buffer.from(x ?? '', 'base64url'))
  return { key, sign: (message) => sign(null, message, privateKey) }
}

/** An Ed25519 key out of its 32-byte seed (RFC 8032), wrapped in the fixed bytes of PKCS #8. */
export function privateKeyFromSeed(seed: Uint8Array): KeyObject {
  if (seed.length !== 32) throw new RangeError('an Ed25519 seed has 32 bytes')
  const key = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}
