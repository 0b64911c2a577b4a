import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** Sealed bytes are nonce (12) + ciphertext + tag (16), AES-256-GCM. */
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Seals under a random nonce. `context` is bound in, so that a sealed value cannot be moved to another row. */
export function seal(key: Buffer, plaintext: Buffer, context: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(context)
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** Opens what `seal` made. Throws when the key or the context is another one, or a bit has changed. */
export function unseal(key: Buffer, sealed: Buffer, context: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(context)
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
}
