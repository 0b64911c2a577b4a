import { hkdfSync } from 'node:crypto'

/** Bytes of a subject's secret. */
export const SECRET_BYTES = 32

export interface SubjectKeys {
  /** Subject token, 16 bytes: key of Kafka records, column `subject`. */
  token: Buffer
  /** 32 bytes: keys the hashes of joinable ids (session, device, message, order). */
  idKey: Buffer
  /** 32 bytes: seals personal fields. Left out where it is not needed, as in the collector's cache. */
  sealKey?: Buffer
}

/**
 * Derives the labelled subkeys of one subject (HKDF-SHA256, RFC 5869). Labels are part of what is stored: changing one
 * makes every subject a stranger.
 * @param secret 32 random bytes. @throws RangeError on another length.
 */
export function deriveSubjectKeys(secret: Buffer): Required<SubjectKeys> {
  if (secret.length !== SECRET_BYTES) throw new RangeError(`secret must have ${SECRET_BYTES} bytes`)
  return {
    token: subkey(secret, 'ebb/1/token', 16),
    idKey: subkey(secret, 'ebb/1/ids', 32),
    sealKey: subkey(secret, 'ebb/1/seal', 32),
  }
}

function subkey(secret: Buffer, label: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), label, bytes))
}
