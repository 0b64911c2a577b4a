import { cosignedMessage, formatCheckpoint } from './checkpoint.ts'
import type { TreeHead } from './merkle-proof.ts'
import { createVerifyingKey } from './public-key.ts'
import { formatSignatureLine } from './signed-note.ts'
import type { Signer } from './signer.ts'

/**
 * The log's signed head: one note signature, and one timestamped cosignature by the log's own key (C2SP gives the two
 * types distinct key IDs and messages), which dates the head for those who name no witness.
 *
 * @param timeSeconds since 1970. The caller must never sign a head that does not extend the last one it signed.
 */
export function signCheckpoint(head: TreeHead, log: Signer, timeSeconds: number): string {
  const text = formatCheckpoint({ ...head, origin: log.key.name, extensions: [] })
  const note = formatSignatureLine(log.key, log.sign(Buffer.from(text)))
  return `${text}\n${note}\n${cosignatureLine(text, log, timeSeconds)}\n`
}

/** The signature line with which a witness, or the log for its own time, cosigns a checkpoint's text. */
export function cosignatureLine(text: string, signer: Signer, timeSeconds: number): string {
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(timeSeconds))
  const key = createVerifyingKey('witness', signer.key.name, signer.key.raw)
  return formatSignatureLine(key, Buffer.concat([time, signer.sign(cosignedMessage(text, timeSeconds))]))
}
