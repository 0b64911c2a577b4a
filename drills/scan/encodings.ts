/** A byte string in one of the forms under which it may lie in a file. */
export interface EncodedForm {
  encoding: Encoding
  bytes: Buffer
}

export type Encoding =
  | 'plain'
  | 'upper'
  | 'utf16le'
  | 'utf16be'
  | 'hex'
  | 'hex-upper'
  | 'base64'
  | 'base64url'
  | 'base64-1'
  | 'base64url-1'
  | 'base64-2'
  | 'base64url-2'

/**
 * Base64 packs three bytes into four letters, so a byte string has three looks, by the number of bytes (0, 1, 2) of the
 * group that come before it. Groups that it shares with its neighbours are left off: they are different each time.
 */
function base64Forms(bytes: Buffer): EncodedForm[] {
  return [0, 1, 2].flatMap((before) => {
    const first = (3 - before) % 3
    const whole = bytes.subarray(first, first + Math.floor((bytes.length - first) / 3) * 3)
    const suffix = before === 0 ? '' : (`-${before}` as const)
    const standard = whole.toString('base64')
    const forms: EncodedForm[] = [{ encoding: `base64${suffix}` as Encoding, bytes: Buffer.from(standard) }]
    const url = whole.toString('base64url')
    if (url !== standard) forms.push({ encoding: `base64url${suffix}` as Encoding, bytes: Buffer.from(url) })
    return forms
  })
}

/** Forms of any bytes: as they are, hex in both cases, base64 in three alignments. */
export function encodeBytes(bytes: Buffer): EncodedForm[] {
  const hex = bytes.toString('hex')
  return [
    { encoding: 'plain', bytes },
    { encoding: 'hex', bytes: Buffer.from(hex) },
    { encoding: 'hex-upper', bytes: Buffer.from(hex.toUpperCase()) },
    ...base64Forms(bytes),
  ]
}

/** Forms of an ASCII text: those of its bytes, and capitals, and UTF-16 in both byte orders. */
export function encodeText(text: string): EncodedForm[] {
  const utf16le = Buffer.from(text, 'utf16le')
  return [
    ...encodeBytes(Buffer.from(text)),
    { encoding: 'upper', bytes: Buffer.from(text.toUpperCase()) },
    { encoding: 'utf16le', bytes: utf16le },
    { encoding: 'utf16be', bytes: Buffer.from(utf16le).swap16() },
  ]
}

/**
 * Reads on, in the form in which its beginning was found, the text that starts at `offset`.
 * @param skipped bytes of the beginning that the form leaves off. @returns what could be read, `letters` at most
 */
export function readText(
  data: Buffer,
  offset: number,
  encoding: Encoding,
  letters: number,
  skipped: number,
): string {
  const rest = letters - skipped
  switch (encoding) {
    case 'plain':
    case 'upper':
      return data.toString('latin1', offset, offset + rest).toLowerCase()
    case 'utf16le':
      return data.toString('utf16le', offset, offset + rest * 2)
    case 'utf16be': {
      const bytes = data.subarray(offset, offset + rest * 2)
      return Buffer.from(bytes.subarray(0, bytes.length & ~1))
        .swap16()
        .toString('utf16le')
    }
    case 'hex':
    case 'hex-upper':
      return Buffer.from(data.toString('latin1', offset, offset + rest * 2), 'hex').toString('latin1')
    default:
      return Buffer.from(data.toString('latin1', offset, offset + Math.ceil(rest / 3) * 4), 'base64')
        .toString('latin1')
        .slice(0, rest)
  }
}

/** Bytes that a form leaves off at the beginning. */
export function skippedBytes(encoding: Encoding): number {
  if (encoding.endsWith('-1')) return 2
  if (encoding.endsWith('-2')) return 1
  return 0
}
