import { weightedSum } from './checksums.ts'
import type { DigitRun } from './digit-runs.ts'

/** North America: area and exchange start with 2 to 9 and neither is a service code such as 911. */
const NANP = /^1?[2-9](?!11)\d{2}[2-9](?!11)\d{2}\d{4}$/
/** Ways to write one; a date followed by a time has ten digits too, but not these groups. */
const NANP_SHAPES: ReadonlySet<string> = new Set([
  '3,3,4',
  '1,3,3,4',
  '3,7',
  '1,10',
  '6,4',
  '1,3,7',
  '1,1,1,1,1,1,1,1,1,1',
])
/** Mobile numbers with country code but without +, by whole length: UK, DE, FR, ES, IT, NL, IN. */
const BARE_MOBILE = /^(?:447\d{9}|491[567]\d{8,9}|33[67]\d{8}|34[67]\d{8}|393\d{9}|316\d{8}|91[6-9]\d{9})$/
const DATE = /^(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2})(?![\d./-])/

/** Whether the run is a phone number: international, or written the way a country writes its own. */
export function hasPhone(run: DigitRun, content: 'text' | 'code'): boolean {
  const { digits, groups } = run
  if (run.plus) return startsInternational(groups)
  if (run.inCode) return false
  if (groups.length === 1) return content === 'text' && isBarePhone(digits)
  if (run.separators.some((separator) => /[,_]/.test(separator)))
    return groups.some((group) => content === 'text' && isBarePhone(group))
  if (isNanp(groups) || isNanp(groups.slice(1)) || isNanp(groups.slice(0, 3))) return true
  if (/^00[1-9]/.test(digits) && groups[0] !== '0' && isInternational(digits.slice(2)) && !isDecimal(run))
    return true
  return isTrunkNumber(run) || (content === 'text' && groups.some(isBarePhone))
}

/** After the +: country codes 1 and 7 have 11 digits, the others 9 to 15. */
function isInternational(digits: string): boolean {
  if (/^[17]/.test(digits)) return digits.length === 11
  return /^[2-9]/.test(digits) && digits.length >= 9 && digits.length <= 15
}

/** Something else may follow the number: `+44 20 7946 0958 12`. */
function startsInternational(groups: readonly string[]): boolean {
  let digits = ''
  for (const group of groups) {
    digits += group
    if (digits.length > 15) return false
    if (isInternational(digits)) return true
  }
  return false
}

function isNanp(groups: readonly string[]): boolean {
  return NANP_SHAPES.has(groups.map((group) => group.length).join()) && NANP.test(groups.join(''))
}

/** Digits without any separator: only shapes that hardly anything else has. */
function isBarePhone(digits: string): boolean {
  if (digits.length === 10) return NANP.test(digits) || /^0[1-9]/.test(digits)
  if (digits.length === 11)
    return (digits.startsWith('1') && NANP.test(digits)) || /^0[1-9]/.test(digits) || BARE_MOBILE.test(digits)
  if (/^00[1-9]/.test(digits))
    return digits.length >= 12 && isInternational(digits.slice(2)) && !isArticleNumber(digits)
  return BARE_MOBILE.test(digits)
}

/** `030 12345678`, `06 12 34 56 78`, `(0171) 123-4567`: a leading zero, then an area or mobile prefix. */
function isTrunkNumber(run: DigitRun): boolean {
  const { digits, groups, separators } = run
  if (!/^0[1-9]/.test(digits) || digits.length < 9 || digits.length > 12) return false
  if (groups.length > 6 || (groups[0] as string).length < 2 || isDecimal(run)) return false
  if (DATE.test(groups.map((group, i) => group + (separators[i] ?? '')).join(''))) return false
  const dotted = separators.some((separator) => separator.includes('.'))
  return !dotted || groups.every((group) => group.length === 2)
}

function isDecimal(run: DigitRun): boolean {
  return run.groups.length === 2 && run.separators[0] === '.'
}

/** American article numbers (UPC) start with 00 when they are written with 13 digits. */
function isArticleNumber(digits: string): boolean {
  return digits.length === 13 && weightedSum(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0
}
