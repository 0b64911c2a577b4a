/**
 * One cheap pass over a text, so that the regular expressions run only where they could find something: nine values of
 * ten in an event are plain words.
 */
export const AT = 1
export const PERCENT = 2
export const COLON = 4
/** A quote, backslash or control character: JSON must escape it. */
export const ESCAPE = 8
export const DOT = 16
export const UPPER = 32
export const LOWER = 64
export const NON_ASCII = 128
/** A run of 12 or more letters, digits, _, - or =: base64 of an address has no + or /, since it is ASCII without ? and >. */
export const LONG_RUN = 256
/** Six digits or more. */
export const MANY_DIGITS = 512
/** Four digits or more. */
export const SOME_DIGITS = 1024

/** One of ? # ; where a path ends. */
export const PATH_END = 2048

const RUN_CHARACTER = 4096
const DIGIT = 8192
const RUN_LENGTH = 12

const CLASSES = new Uint16Array(128)
for (let code = 0; code < 128; code++) {
  const character = String.fromCharCode(code)
  let kind = 0
  if (code < 32 || code === 127 || character === '"' || character === '\\') kind |= ESCAPE
  if (character === '@') kind |= AT
  if (character === '%') kind |= PERCENT
  if (character === ':') kind |= COLON
  if (character === '.') kind |= DOT
  if ('?#;'.includes(character)) kind |= PATH_END
  if (/[A-Z]/.test(character)) kind |= UPPER
  if (/[a-z]/.test(character)) kind |= LOWER
  if (/[0-9]/.test(character)) kind |= DIGIT
  if (/[A-Za-z0-9_=-]/.test(character)) kind |= RUN_CHARACTER
  CLASSES[code] = kind
}

/** @returns the flags of all that occurs in the text. */
export function scanText(text: string): number {
  let flags = 0
  let digits = 0
  let run = 0
  let longest = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) {
      flags |= NON_ASCII
      run = 0
      continue
    }
    const kind = CLASSES[code] as number
    flags |= kind
    if ((kind & DIGIT) !== 0) digits++
    run = (kind & RUN_CHARACTER) !== 0 ? run + 1 : 0
    if (run > longest) longest = run
  }
  if (digits >= 6) flags |= MANY_DIGITS
  if (digits >= 4) flags |= SOME_DIGITS
  if (longest >= RUN_LENGTH) flags |= LONG_RUN
  return flags
}

/** False where no detector could find anything, so that none need run. */
export function isSuspicious(flags: number): boolean {
  if ((flags & (AT | PERCENT | COLON | NON_ASCII | MANY_DIGITS)) !== 0) return true
  if ((flags & (DOT | SOME_DIGITS)) === (DOT | SOME_DIGITS)) return true
  const mixed = UPPER | LOWER | LONG_RUN
  return (flags & mixed) === mixed
}
