/**
 * Calendar days and months in UTC, as text: `YYYY-MM-DD` and `YYYY-MM`. Pure, so that workflows may use it.
 */

const MS_PER_DAY = 86_400_000

/** @returns whether `text` is a day that exists, so not 2026-02-30. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const at = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(at) && dayOf(at) === text
}

/** @returns whether `text` is a month that exists. */
export function isMonth(text: string): boolean {
  return /^\d{4}-\d{2}$/.test(text) && isDay(`${text}-01`)
}

/** The UTC day of a moment in milliseconds since 1970. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** Milliseconds since 1970 of the day's first moment; the day's end is `startOfDay(addDays(day, 1))`, exclusive. */
export function startOfDay(day: string): number {
  return Date.parse(`${day}T00:00:00Z`)
}

export function addDays(day: string, days: number): string {
  return dayOf(startOfDay(day) + days * MS_PER_DAY)
}

export function monthOf(day: string): string {
  return day.slice(0, 7)
}

export function addMonths(month: string, months: number): string {
  const [year, index] = month.split('-').map(Number) as [number, number]
  return new Date(Date.UTC(year, index - 1 + months, 1)).toISOString().slice(0, 7)
}

/** Both ends inclusive, oldest first; empty when `to` is before `from`. */
export function daysBetween(from: string, to: string): string[] {
  const days: string[] = []
  for (let day = from; day <= to; day = addDays(day, 1)) days.push(day)
  return days
}
