import { passesLuhn } from './checksums.ts'
import type { DigitRun } from './digit-runs.ts'

/**
 * Number ranges in use, with their lengths. Visa's old 13 digits are left out: none has been issued for decades, and a tenth
 * of all German and Japanese article numbers (EAN 4…) would pass for one.
 */
const RANGES: Readonly<Record<string, readonly [prefix: RegExp, lengths: readonly number[]][]>> = {
  '2': [[/^(?:222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]]],
  '3': [
    [/^3[47]/, [15]],
    [/^3(?:0[0-5]|[689])/, [14, 16, 19]],
    [/^35(?:2[89]|[3-8])/, [16, 17, 18, 19]],
  ],
  '4': [[/^4/, [16, 19]]],
  '5': [
    [/^5[1-5]/, [16]],
    [/^(?:50|5[6-8])/, [16, 17, 18, 19]],
  ],
  '6': [[/^(?:6011|64[4-9]|6[0-35-7])/, [16, 17, 18, 19]]],
  '8': [[/^81/, [16, 17, 18, 19]]],
}
const MIN_LENGTH = 14
const MAX_LENGTH = 19

/** Whether the run holds a payment card number: groups that together have a range's prefix and length and pass Luhn. */
export function hasCard(run: DigitRun): boolean {
  const { digits, groups } = run
  if (digits.length < MIN_LENGTH) return false
  let start = 0
  for (let first = 0; first < groups.length; first++) {
    if (startsCard(digits, start, groups, first)) return true
    start += (groups[first] as string).length
  }
  return false
}

function startsCard(digits: string, start: number, groups: readonly string[], first: number): boolean {
  const ranges = RANGES[digits[start] as string]
  if (!ranges) return false
  let end = start
  for (let last = first; last < groups.length; last++) {
    end += (groups[last] as string).length
    const length = end - start
    if (length > MAX_LENGTH) return false
    if (length < MIN_LENGTH) continue
    const number = digits.slice(start, end)
    const inRange = ranges.some(([prefix, lengths]) => lengths.includes(length) && prefix.test(number))
    if (inRange && passesLuhn(number)) return true
  }
  return false
}
