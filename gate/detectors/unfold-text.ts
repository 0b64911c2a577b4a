import { NON_ASCII, PERCENT } from './scan-text.ts'

/** Digits of other scripts, look-alike forms, invisible characters and dashes: what a number or address can hide behind. */
const FOLDABLE =
  /[\u00a0\u00ad\u061c\u180e\u2000-\u206f\u2212\u2460-\u24ff\u3000-\u3003\ufe50-\ufe6f\ufeff\uff00-\uffef\u{1d400}-\u{1d7ff}]|\u034f|\p{Variation_Selector}|(?![0-9])\p{Nd}/u
const INVISIBLE = /[\p{Cf}\p{Cc}]|\u034f|\p{Variation_Selector}/gu
const OTHER_DIGIT = /(?![0-9])\p{Nd}/gu
const DASH = /[\p{Pd}\u2212]/gu
const SPACE = /[\p{Zs}\u3000]/gu
const CONTROL = /\p{Cc}/u
/** Percent-encoding is undone this often: `%2540` is an at sign to whoever decodes twice. */
const DECODE_ROUNDS = 3

/** Whether an ASCII text could hide behind this one. Umlauts, Greek or Chinese alone hide nothing. */
export function isFoldable(text: string): boolean {
  return FOLDABLE.test(text)
}

/**
 * The plain text behind a disguise: percent-encoding undone, compatibility forms and digits of any script as ASCII,
 * invisible characters gone, dashes and spaces alike.
 * @param flags of scanText(text).
 */
export function unfoldText(text: string, flags: number): string {
  let plain = (flags & PERCENT) === 0 ? text : decodePercent(text)
  if ((flags & (NON_ASCII | PERCENT)) === 0 && !CONTROL.test(plain)) return plain
  if (CONTROL.test(plain)) plain = plain.replace(/\s/g, ' ').replace(INVISIBLE, '')
  if (!isFoldable(plain)) return plain
  return plain
    .normalize('NFKC')
    .replace(INVISIBLE, '')
    .replace(OTHER_DIGIT, asciiDigit)
    .replace(DASH, '-')
    .replace(SPACE, ' ')
    .replace(/[\u3002\ufe52]/g, '.')
}

function decodePercent(text: string): string {
  let plain = text
  for (let round = 0; round < DECODE_ROUNDS && plain.includes('%'); round++) {
    const decoded = plain.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) =>
      Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
    )
    if (decoded === plain) break
    plain = decoded
  }
  return plain
}

/** Unicode keeps the ten digits of a script in a row, so the zero is found by walking down. */
function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0) as number
  let value = 0
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value++
  return String(value)
}
