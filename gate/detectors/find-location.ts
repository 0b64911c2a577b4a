/** Three decimals of a degree are 110 m. */
const PAIR =
  /(?<![\d.])([-+]?\d{1,2}\.\d{3,})\s?[°]?\s?[NSns]?(?:\s{0,2}[,;|/_:]\s{0,2}|\s{1,2}|%2C)([-+]?\d{1,3}\.\d{3,})(?![\d.])/g
const NAMED = /lat(?:itude)?\W{1,4}-?\d{1,2}\.\d{3,}/i
const DEGREES = /\d{1,3}\s?°\s?\d{1,2}\s?['\u2032\u2019]/

/** Whether a text holds a position that is good to about 100 m: a decimal pair, a named latitude, degrees and minutes. */
export function hasLocation(text: string): boolean {
  if (DEGREES.test(text) || NAMED.test(text)) return true
  for (const [, first = '', second = ''] of text.matchAll(PAIR)) {
    if (Math.abs(Number(first)) > 90 || Math.abs(Number(second)) > 180) continue
    // `10.000, 20.000`: thousands, as half of Europe writes them.
    if (first.endsWith('000') && second.endsWith('000')) continue
    return true
  }
  return false
}
