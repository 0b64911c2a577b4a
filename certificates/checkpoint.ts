import { decodeBase64 } from './canonical-base64.ts'
import { CertificateError } from './certificate-error.ts'
import type { TreeHead } from './merkle-proof.ts'
import type { PublicKey } from './public-key.ts'

/** The text of a C2SP tlog-checkpoint: a log's head at one size. */
export interface Checkpoint extends TreeHead {
  /** The log's name; a certificate names the same one. */
  origin: string
  /** Opaque. Ebb writes none, since monitors cannot audit them. */
  extensions: string[]
}

export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  return [origin, String(size), root.toString('base64'), ...extensions, ''].join('\n')
}

/** @throws CertificateError `checkpoint-malformed`, `not-canonical-base64`. */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin, size, root, ...rest] = text.split('\n')
  const extensions = rest.slice(0, -1)
  const wellFormed = origin && size && root && rest.at(-1) === '' && extensions.every((line) => line !== '')
  if (!wellFormed)
    throw new CertificateError('checkpoint-malformed', 'a checkpoint has origin, size and root lines')
  const head = { origin, size: parseDecimal(size), root: decodeBase64(root), extensions }
  if (head.root.length !== 32) throw new CertificateError('checkpoint-malformed', 'a root has 32 bytes')
  return head
}

/** A decimal without leading zeroes, below 2^53. */
export function parseDecimal(text: string): number {
  const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value))
    throw new CertificateError('checkpoint-malformed', 'not a plain decimal number')
  return value
}

/** The end of the year 9999, beyond which times have no common spelling. */
const LAST_SECOND = 253_402_300_799

/** What a C2SP `cosignature/v1` signs: "as of this time, this is the largest consistent head that I have seen". */
export function cosignedMessage(text: string, timeSeconds: number): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${timeSeconds}\n${text}`)
}

/**
 * Reads a timestamped cosignature: eight bytes of seconds since 1970, big-endian, then the signature.
 * @returns the time, or undefined when the signature does not hold.
 */
export function verifyCosignature(key: PublicKey, text: string, cosignature: Buffer): number | undefined {
  if (cosignature.length !== 72) return undefined
  const time = Number(cosignature.readBigUInt64BE(0))
  if (time > LAST_SECOND) return undefined
  return key.verify(cosignedMessage(text, time), cosignature.subarray(8)) ? time : undefined
}
