import { decodeBase64 } from './canonical-base64.ts'
import { CertificateError } from './certificate-error.ts'
import { isKeyName, type PublicKey } from './public-key.ts'

/** A C2SP signed note, as read: nothing in it is true until a signature is verified. */
export interface SignedNote {
  /** Ends with a newline; what is signed. */
  text: string
  signatures: NoteSignature[]
}

export interface NoteSignature {
  name: string
  /** Eight hex digits. */
  keyId: string
  signature: Buffer
}

/** The specification asks for at least 16; post-quantum lines are long, hence also the bound in bytes of the reader. */
const MAX_SIGNATURES = 64

/** @throws CertificateError `note-malformed`, `not-canonical-base64`. */
export function parseSignedNote(note: string): SignedNote {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification forbids exactly these
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) throw malformed('control characters in a note')
  const separator = note.lastIndexOf('\n\n')
  if (separator < 0 || !note.endsWith('\n')) throw malformed('a note without signatures')
  const lines = note.slice(separator + 2, -1).split('\n')
  if (lines.length > MAX_SIGNATURES) throw malformed(`more than ${MAX_SIGNATURES} signatures`)
  return { text: note.slice(0, separator + 1), signatures: lines.map(parseSignatureLine) }
}

/** `— name base64(key ID ‖ signature)`, without the newline. */
export function formatSignatureLine(key: PublicKey, signature: Uint8Array): string {
  const id = Buffer.from(key.fingerprint.slice(0, 8), 'hex')
  return `— ${key.name} ${Buffer.concat([id, signature]).toString('base64')}`
}

export function parseSignatureLine(line: string): NoteSignature {
  const [, name, encoded] = /^— (\S+) (\S+)$/.exec(line) ?? []
  if (!name || !encoded || !isKeyName(name)) throw malformed('a signature line is not "— name base64"')
  const bytes = decodeBase64(encoded)
  if (bytes.length < 5) throw malformed('a signature line without a signature')
  return { name, keyId: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) }
}

/**
 * The signature of one key. Lines of unknown keys are ignored, as the specification demands; two lines of one known
 * key are refused, since only one of them would be looked at.
 */
export function findSignature(note: SignedNote, key: PublicKey): Buffer | undefined {
  const id = key.fingerprint.slice(0, 8)
  const found = note.signatures.filter((line) => line.name === key.name && line.keyId === id)
  if (found.length > 1) throw malformed('two signature lines of one key')
  return found[0]?.signature
}

function malformed(why: string): CertificateError {
  return new CertificateError('note-malformed', why)
}
