import type { ContactKind } from '../schemas/event-definition.ts'
import { hashText, type KeyedHash } from './keyed-hash.ts'

/**
 * One form of an address or number, however somebody typed it. An address: Unicode NFC, no space around, lower case. A number:
 * its digits, with a plus where one stands before them; a country's code is not guessed.
 * @returns '' where there is nothing to find anybody by
 */
export function normaliseContact(kind: ContactKind, text: string): string {
  if (kind === 'email') return text.normalize('NFC').trim().toLowerCase()
  const digits = text.replace(/\D/g, '')
  return digits !== '' && /^\D*\+/.test(text) ? `+${digits}` : digits
}

/**
 * HMAC(app look-up key, `contact-` and kind ‖ 0x00 ‖ normalised text), 32 bytes. The label is another than that of handles: where an
 * app's user id is the address, its handle and this have nothing in common.
 * @param keyed under the app's look-up key
 */
export function hashContact(keyed: KeyedHash, kind: ContactKind, text: string): Buffer {
  return Buffer.from(hashText(keyed, `contact-${kind}`, normaliseContact(kind, text)), 'latin1')
}
