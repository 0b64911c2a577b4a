import { CertificateError } from './certificate-error.ts'
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts'
import type { PublicKey } from './public-key.ts'
import { findSignature, parseSignedNote, type SignedNote } from './signed-note.ts'

/** A checkpoint whose log's signature has been verified. */
export interface OpenedCheckpoint {
  head: Checkpoint
  note: SignedNote
  /** The log's key that signed it. */
  log: PublicKey
}

/**
 * Opens a signed checkpoint of one of these logs. Lines of unknown keys are ignored; one of a known key that does not
 * hold spoils the whole note.
 * @throws CertificateError `note-malformed`, `checkpoint-malformed`, `not-canonical-base64`, `wrong-origin`,
 * `checkpoint-unsigned`, `checkpoint-bad-signature`.
 */
export function openCheckpoint(text: string, logs: readonly PublicKey[]): OpenedCheckpoint {
  const note = parseSignedNote(text)
  const head = parseCheckpoint(note.text)
  const known = logs.filter((log) => log.use === 'log' && log.name === head.origin)
  if (known.length === 0)
    throw new CertificateError('wrong-origin', 'a checkpoint of a log that is not known')
  const message = Buffer.from(note.text)
  const signers = known.filter((log) => {
    const signature = findSignature(note, log)
    if (signature && !log.verify(message, signature)) {
      throw new CertificateError('checkpoint-bad-signature', "the log's signature does not hold")
    }
    return signature !== undefined
  })
  const log = signers[0]
  if (!log) throw new CertificateError('checkpoint-unsigned', "the log's key has not signed this checkpoint")
  return { head, note, log }
}
