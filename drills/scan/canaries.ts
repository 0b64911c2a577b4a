import { randomBytes } from 'node:crypto'

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
/** Long enough to meet by chance in no file, and to be told in base64 by its inner groups alone. */
const MARKER_LETTERS = 14
const SUBJECT_LETTERS = 5
const FIELD_LETTERS = 2

/** What a canary says: whose it is, and in which field it was planted. */
export interface CanaryPlace {
  subject: number
  field: number
}

/**
 * Canaries of one run: small letters only, so that no detector of the gate takes one for an id or a secret, no normalising
 * changes it, and it is the same in JSON, SQL and a path. All begin with the run's marker; subject and field follow.
 */
export interface Canaries {
  marker: string
  /** Letters of a whole canary. */
  length: number
  /** @param subject below 11 million. @param field below 676 */
  make(subject: number, field: number): string
  /** @returns undefined where the text does not go on as a canary does */
  read(text: string): CanaryPlace | undefined
}

export function createCanaries(marker = randomMarker()): Canaries {
  const length = marker.length + SUBJECT_LETTERS + FIELD_LETTERS
  return {
    marker,
    length,
    make: (subject, field) => marker + encode(subject, SUBJECT_LETTERS) + encode(field, FIELD_LETTERS),
    read(text) {
      const id = text.slice(-(SUBJECT_LETTERS + FIELD_LETTERS))
      if (!/^[a-z]{7}$/.test(id)) return undefined
      return { subject: decode(id.slice(0, SUBJECT_LETTERS)), field: decode(id.slice(SUBJECT_LETTERS)) }
    },
  }
}

function randomMarker(): string {
  // Each letter differs from the one before it, so that no run of a file's padding resembles it.
  let marker = 'q'
  for (const byte of randomBytes(MARKER_LETTERS * 4)) {
    const letter = LETTERS[byte % LETTERS.length]!
    if (marker.length < MARKER_LETTERS && !marker.endsWith(letter)) marker += letter
  }
  return marker
}

function encode(value: number, letters: number): string {
  let text = ''
  let rest = value
  for (let i = 0; i < letters; i++) {
    text = LETTERS[rest % LETTERS.length] + text
    rest = Math.floor(rest / LETTERS.length)
  }
  if (rest > 0) throw new RangeError(`${value} does not fit in ${letters} letters`)
  return text
}

function decode(text: string): number {
  let value = 0
  for (const letter of text) value = value * LETTERS.length + LETTERS.indexOf(letter)
  return value
}
