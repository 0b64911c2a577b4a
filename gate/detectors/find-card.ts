import { passesLuhn } from './checksums.ts'
import type { DigitRun } from './digit-runs.ts'

/**
 * Number ranges in use, with their lengths. Visa's old 13 digits are left out: none has been issued for decades, and a tenth
 * of all German and Japanese article numbers (EAN 4…) would pass for one.
 */
const RANGES: readonly [prefix: RegExp, lengths: readonly number[]][] = [
  [/^4/, [16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^3(?:0[0-5]|[689])/, [14, 16, 19]],
  [/^(?:6011|64[4-9]|65|62|81)/, [16, 17, 18, 19]],
  [/^35(?:2[89]|[3-8])/, [16, 17, 18, 19]],
  [/^(?:50|5[6-8]|6[0137])/, [16, 17, 18, 19]],
]
const FIRST_DIGITS = '234568'
const MIN_LENGTH = 14
const MAX_LENGTH = 19

/** Whether the run holds a payment card number: groups that together have a range's prefix and length and pass Luhn. */
export function hasCard(run: DigitRun): boolean {
  const { digits, groups } = run
  if (digits.length < MIN_LENGTH) return false
  let start = 0
  for (let first = 0; first < groups.length; first++) {
    if (FIRST_DIGITS.includes(digits[start] as string) && startsCard(digits, start, groups, first))
      return true
    start += (groups[first] as string).length
  }
  return false
}

function startsCard(digits: string, start: number, groups: readonly string[], first: number): boolean {
  let end = start
  for (let last = first; last < groups.length; last++) {
    end += (groups[last] as string).length
    if (end - start > MAX_LENGTH) return false
    if (end - start >= MIN_LENGTH && isCard(digits.slice(start, end))) return true
  }
  return false
}

function isCard(digits: string): boolean {
  return (
    RANGES.some(([prefix, lengths]) => lengths.includes(digits.length) && prefix.test(digits)) &&
    passesLuhn(digits)
  )
}
