/** Numbers below this are seconds, as many devices send them; as milliseconds they would lie in 1970 to 1973. */
const SECONDS_LIMIT = 1e11
const MAX_TIME = 8.64e15
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?([Zz]|[+-]\d\d(?::?\d\d)?)?)?$/

/**
 * A client's time: ISO 8601 text (UTC where it names no zone), or a number: milliseconds since 1970, or seconds below 1e11.
 * @returns milliseconds since 1970; NaN where it is not a time.
 */
export function parseTime(value: unknown): number {
  if (typeof value === 'string') return value.length === 24 ? parseExact(value) : parseIso(value)
  if (typeof value !== 'number' || !Number.isFinite(value)) return Number.NaN
  const time = Math.round(Math.abs(value) < SECONDS_LIMIT ? value * 1000 : value)
  return Math.abs(time) <= MAX_TIME ? time : Number.NaN
}

/** `2026-06-11T08:30:00.000Z`, which all JavaScript clients send, without a regular expression: ten times as fast. */
function parseExact(text: string): number {
  if (
    text.charCodeAt(4) !== 45 ||
    text.charCodeAt(7) !== 45 ||
    text.charCodeAt(10) !== 84 ||
    text.charCodeAt(13) !== 58 ||
    text.charCodeAt(16) !== 58 ||
    text.charCodeAt(19) !== 46 ||
    text.charCodeAt(23) !== 90
  ) {
    return parseIso(text)
  }
  return toTime(
    pair(text, 0) * 100 + pair(text, 2),
    pair(text, 5),
    pair(text, 8),
    pair(text, 11),
    pair(text, 14),
    pair(text, 17),
    pair(text, 20) * 10 + digit(text, 22),
  )
}

function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - 48
  return value >= 0 && value <= 9 ? value : Number.NaN
}

function pair(text: string, at: number): number {
  return digit(text, at) * 10 + digit(text, at + 1)
}

function parseIso(text: string): number {
  if (text.length > 40) return Number.NaN
  const match = ISO.exec(text)
  if (!match) return Number.NaN
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = match
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3))
  const time = toTime(
    Number(year),
    Number(month),
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    ms,
  )
  return time - zoneOffset(zone)
}

/** Milliseconds that a zone is ahead of UTC. */
function zoneOffset(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2)) * (zone.length > 3 ? 1 : 0)
  if (hours > 18 || minutes > 59) return Number.NaN
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

/** NaN in, NaN out: every comparison with NaN is false, so the range checks are written to pass only numbers. */
function toTime(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  ms: number,
) {
  const inRange =
    year >= 1970 && month >= 1 && month <= 12 && day >= 1 && hour <= 23 && minute <= 59 && second <= 59
  if (!inRange || !(day <= daysIn(year, month))) return Number.NaN
  return Date.UTC(year, month - 1, day, hour, minute, second, ms)
}

function daysIn(year: number, month: number): number {
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return (DAYS_IN_MONTH[month - 1] as number) + (leap ? 1 : 0)
}
