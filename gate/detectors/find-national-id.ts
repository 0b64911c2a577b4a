import { passesLuhn, passesMod1110, passesVerhoeff, remainder, weightedSum } from './checksums.ts'
import type { DigitRun } from './digit-runs.ts'

const NINO =
  /(?<![A-Za-z0-9])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]([ -]?)\d{2}\1\d{2}\1\d{2}\1[A-D](?![A-Za-z0-9])/gi
const DNI = /(?<![A-Za-z0-9])([XYZ]?)[ -]?(\d{7,8})[ -]?([A-HJ-NP-TV-Z])(?![A-Za-z0-9])/gi
const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE'
const CODICE_FISCALE =
  /(?<![A-Za-z0-9])[A-Z]{6}[ -]?\d{2}[A-EHLMPRST]\d{2}[ -]?[A-Z]\d{3}[ -]?[A-Z](?![A-Za-z0-9])/gi
/** Values of 0-9, A-Z at odd places. */
const CF_ODD = [
  1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
  10, 22, 25, 24, 23,
]
const NIR =
  /(?<!\d)[1-478][ .-]?\d{2}[ .-]?\d{2}[ .-]?(?:\d{2}|2[AB])[ .-]?\d{3}[ .-]?\d{3}[ .-]?\d{2}(?!\d)/gi
const CHINA =
  /(?<![A-Za-z0-9])[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![A-Za-z0-9])/g
const SWEDEN = /(?<!\d)(?:19|20)?\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-+]\d{4}(?!\d)/g
const IBAN = /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?![A-Za-z0-9])/gi

/** Whether a text holds a national identity, social security or tax number of one of the countries below. */
export function hasNationalId(text: string, runs: readonly DigitRun[], content: 'text' | 'code'): boolean {
  if (matches(text, CODICE_FISCALE, isCodiceFiscale) || matches(text, NIR, isNir)) return true
  if (matches(text, CHINA, isChinese) || matches(text, SWEDEN, isSwedish)) return true
  if (matches(text, NINO, (id) => content === 'text' || /[ -]/.test(id))) return true
  if (content === 'text' && matches(text, DNI, isDni)) return true
  const keyed = /ssn|social|bsn|sofi|burgerservice/i.test(text)
  return runs.some((run) => isNumericId(run, content, keyed))
}

/** Whether a text holds an IBAN (ISO 13616). */
export function hasIban(text: string): boolean {
  return matches(text, IBAN, (match) => {
    // The pattern may run into the next word: the check says where the number ends.
    const all = match.replace(/[ -]/g, '').toUpperCase()
    for (let end = Math.min(all.length, 34); end >= 15; end--) if (isIban(all.slice(0, end))) return true
    return false
  })
}

function isIban(iban: string): boolean {
  const digits = (iban.slice(4) + iban.slice(0, 4)).replace(/[A-Z]/g, (letter) =>
    String(letter.charCodeAt(0) - 55),
  )
  return remainder(digits, 97) === 1
}

function matches(text: string, pattern: RegExp, check: (match: string) => boolean): boolean {
  for (const [match] of text.matchAll(pattern)) if (check(match)) return true
  return false
}

/** Numbers made of digits alone, known by their groups, their check digits or a word beside them. */
function isNumericId(run: DigitRun, content: 'text' | 'code', keyed: boolean): boolean {
  if (run.inCode && !keyed) return false
  const { digits } = run
  const shape = run.groups.map((group) => group.length).join()
  const bare = run.groups.length === 1
  const loose = content === 'text' || !bare
  switch (digits.length) {
    case 9:
      return isNineDigitId(run, shape, content, keyed)
    case 11:
      if ((bare && loose) || shape === '2,3,3,3') return isSteuerId(digits) || (bare && isPesel(digits))
      if (shape === '3,3,3,2') return isCpf(digits)
      return shape === '6,3,2' || shape === '2,2,2,3,2' ? isBelgian(digits) : false
    case 12:
      return (shape === '4,4,4' || (bare && loose)) && /^[2-9]/.test(digits) && passesVerhoeff(digits)
    case 13:
      return digits.startsWith('756') && (shape === '3,4,4,2' || bare) && isAhv(digits)
    default:
      return false
  }
}

function isNineDigitId(run: DigitRun, shape: string, content: 'text' | 'code', keyed: boolean): boolean {
  const { digits } = run
  const isSsn = /^(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}$/.test(digits)
  if (isSsn && (shape === '3,2,4' || keyed)) return true
  if (shape === '3,3,3' && run.separators[0] === '-' && /^[1-79]/.test(digits) && passesLuhn(digits))
    return true
  const bsnShape = shape === '4,2,3' || shape === '3,3,3' || (shape === '9' && content === 'text')
  return (bsnShape || keyed) && isBsn(digits)
}

/** NL, the eleven test. */
function isBsn(digits: string): boolean {
  return digits !== '000000000' && weightedSum(digits, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0
}

/** DE, Steuer-Identifikationsnummer: of the first ten digits just one comes twice or thrice. */
function isSteuerId(digits: string): boolean {
  if (digits.startsWith('0')) return false
  const counts = new Map<string, number>()
  for (const digit of digits.slice(0, 10)) counts.set(digit, (counts.get(digit) ?? 0) + 1)
  const repeated = [...counts.values()].filter((count) => count > 1)
  return repeated.length === 1 && (repeated[0] as number) <= 3 && passesMod1110(digits)
}

/** PL: birth date with the century in the month, weighted check digit. */
function isPesel(digits: string): boolean {
  const month = Number(digits.slice(2, 4)) % 20
  const day = Number(digits.slice(4, 6))
  if (month < 1 || month > 12 || day < 1 || day > 31) return false
  return weightedSum(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0
}

/** BR, Cadastro de Pessoas Físicas. */
function isCpf(digits: string): boolean {
  if (/^(\d)\1*$/.test(digits)) return false
  const check = (weights: readonly number[]) => ((weightedSum(digits, weights) * 10) % 11) % 10
  const first = check([10, 9, 8, 7, 6, 5, 4, 3, 2])
  return first === Number(digits[9]) && check([11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) === Number(digits[10])
}

/** BE: 97 minus the remainder; people born since 2000 put a 2 in front. */
function isBelgian(digits: string): boolean {
  const check = Number(digits.slice(9))
  return [digits.slice(0, 9), `2${digits.slice(0, 9)}`].some((number) => 97 - remainder(number, 97) === check)
}

/** CH: an EAN-13. */
function isAhv(digits: string): boolean {
  return weightedSum(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0
}

/** FR, numéro de sécurité sociale: the last two digits are 97 minus the remainder; Corsica counts as 19 and 18. */
function isNir(match: string): boolean {
  const id = match.replace(/[ .-]/g, '').toUpperCase().replace('2A', '19').replace('2B', '18')
  if (id.length !== 15) return false
  const month = Number(id.slice(3, 5))
  if (month < 1 || (month > 12 && month < 20)) return false
  return 97 - remainder(id.slice(0, 13), 97) === Number(id.slice(13))
}

/** ES, DNI and NIE: the letter is the number modulo 23. */
function isDni(match: string): boolean {
  const id = match.replace(/[ -]/g, '').toUpperCase()
  const number = id.slice(0, -1).replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter)))
  return number.length === 8 && DNI_LETTERS[Number(number) % 23] === id.at(-1)
}

function isCodiceFiscale(match: string): boolean {
  const id = match.replace(/[ -]/g, '').toUpperCase()
  let sum = 0
  for (let i = 0; i < 15; i++) {
    const value = Number.parseInt(id[i] as string, 36)
    if (i % 2 === 0) sum += CF_ODD[value] as number
    else sum += value > 9 ? value - 10 : value
  }
  return String.fromCharCode(65 + (sum % 26)) === id[15]
}

/** CN, resident identity card (GB 11643): ISO 7064 MOD 11-2. */
function isChinese(id: string): boolean {
  const sum = weightedSum(id, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
  return '10X98765432'[sum % 11] === id.at(-1)?.toUpperCase()
}

/** SE: Luhn over the last ten digits. */
function isSwedish(id: string): boolean {
  return passesLuhn(id.replace(/\D/g, '').slice(-10))
}
