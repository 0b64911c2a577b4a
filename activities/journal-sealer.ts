import { randomBytes } from 'node:crypto'
import type { KeyProvider } from '../postgres/key-provider.ts'
import { seal, unseal } from '../postgres/seal.ts'
import type { JournalSealer } from '../s3/journal.ts'

const KEY_BYTES = 32
/** The provider's key of that name; it lives as long as the journal. */
const JOURNAL_KEY = 'journal'

/**
 * Seals each journal entry under a key of its own, wrapped by the key provider: length of the wrapped key (two bytes, big
 * endian), the wrapped key, the sealed entry.
 */
export function createJournalSealer(
  provider: Pick<KeyProvider, 'createKey' | 'wrap' | 'unwrap'>,
): JournalSealer {
  return {
    async seal(plaintext, context) {
      const key = randomBytes(KEY_BYTES)
      await provider.createKey(JOURNAL_KEY)
      const wrapped = await provider.wrap(JOURNAL_KEY, key, context)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(wrapped.length)
      return Buffer.concat([length, wrapped, seal(key, plaintext, Buffer.from(context))])
    },
    async open(sealed, context) {
      const end = 2 + sealed.readUInt16BE(0)
      const key = await provider.unwrap(JOURNAL_KEY, sealed.subarray(2, end), context)
      return unseal(key, sealed.subarray(end), Buffer.from(context))
    },
  }
}
