import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IdentifierLabel } from '../schemas/certificate.ts'

/** A person's identifier, as the person would write it. */
export interface Identifier {
  label: IdentifierLabel
  value: string
}

/** 32 random bytes, one salt a certificate. It goes to the requester and is then forgotten. */
export function createSalt(): Buffer {
  return randomBytes(32)
}

/**
 * HMAC-SHA-256 under the salt over `ebb.subject/v1`, the label and the identifier, a newline between each; hex.
 * Without the salt nobody can try emails against it; with it the holder shows whose certificate this is.
 */
export function commitToSubject(salt: Uint8Array, { label, value }: Identifier): string {
  if (salt.length !== 32) throw new RangeError('a salt has 32 bytes')
  return createHmac('sha256', salt)
    .update(`ebb.subject/v1\n${label}\n${normalise(label, value)}`)
    .digest('hex')
}

/** Whether one of a certificate's commitments is to this identifier; its label is in the commitment. */
export function isCommittedTo(
  subject: readonly { commitment: string }[],
  salt: Uint8Array,
  identifier: Identifier,
): boolean {
  const expected = Buffer.from(commitToSubject(salt, identifier), 'hex')
  return subject.some(({ commitment }) => timingSafeEqual(Buffer.from(commitment, 'hex'), expected))
}

/** Unicode NFC, no space around; emails in lower case, since people type them so. */
function normalise(label: IdentifierLabel, value: string): string {
  const text = value.normalize('NFC').trim()
  return label === 'email' ? text.toLowerCase() : text
}
