/** Digits that belong together, with what stands between and before them. */
export interface DigitRun {
  /** The digits alone. */
  digits: string
  /** The digits by separator: '415-555' is ['415', '555']. */
  groups: readonly string[]
  /** What stands between the groups. */
  separators: readonly string[]
  /** A + directly before. */
  plus: boolean
  /** Part of a code such as `SKU-4155552671` or `4155552671A`: letters touch it. */
  inCode: boolean
  /** Nothing else in the text. */
  whole: boolean
}

/** At most three separators between digits; a digit is no separator, so there is but one way to match. */
const RUN = /\d(?:[ .\-/()_,]{0,3}\d){5,}/g
const INTRODUCED =
  /(?:tel|phone|telefon|call|mobile|mobil|cell|handy|fax|sms|whatsapp|text|at|to|from|is|no)[ .:_=#+(-]{0,3}$/i
const CODE_BEFORE = /[\p{L}#][_./#-]?$/u
const CODE_AFTER = /^[_-]?\p{L}/u

/** Runs of six digits or more. */
export function readDigitRuns(text: string): DigitRun[] {
  const runs: DigitRun[] = []
  for (const match of text.matchAll(RUN)) {
    const run = match[0]
    const before = text.slice(Math.max(0, match.index - 16), match.index)
    const after = text.slice(match.index + run.length, match.index + run.length + 2)
    const separators = run.match(/\D+/g) ?? []
    const opening = before.replace(/[( ]+$/, '')
    const groups = run.match(/\d+/g) ?? []
    runs.push({
      digits: groups.join(''),
      groups,
      separators,
      plus: opening.endsWith('+') && !/[\d)][ (]*\+$/.test(opening),
      inCode: (CODE_BEFORE.test(before) && !INTRODUCED.test(before)) || CODE_AFTER.test(after),
      whole: run.length === text.trim().length,
    })
  }
  return runs
}
