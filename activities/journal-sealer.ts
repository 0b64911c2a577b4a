import { randomBytes } from 'node:crypto'
import type { KeyProvider } from '../postgres/key-provider.ts'
import { seal, unseal } from '../postgres/seal.ts'
import type { JournalSealer } from '../s3/journal.ts'

const KEY_BYTES = 32

/**
 * Seals each journal entry under a key of its own, wrapped by the key provider: length of the wrapped key (two bytes, big
 * endian), the wrapped key, the sealed entry.
 */
export function createJournalSealer(provider: Pick<KeyProvider, 'wrap' | 'unwrap'>): JournalSealer {
  return {
    async seal(plaintext, context) {
      const key = randomBytes(KEY_BYTES)
      const wrapped = await provider.wrap(key, context)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(wrapped.length)
      return Buffer.concat([length, wrapped, seal(key, plaintext, Buffer.from(context))])
    },
    async open(sealed, context) {
      const end = 2 + sealed.readUInt16BE(0)
      const key = await provider.unwrap(sealed.subarray(2, end), context)
      return unseal(key, sealed.subarray(end), Buffer.from(context))
    },
  }
}
