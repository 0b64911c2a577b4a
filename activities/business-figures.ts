import type { DailyMetric } from '../clickhouse/daily-metric.ts'
import type { BusinessDay } from '../clickhouse/read-business-day.ts'
import { addDays } from '../schemas/day.ts'
import { parseMoney } from './format-figures.ts'
import { K } from './guard-small-groups.ts'

/** `few`: hidden, since all that would be in it is of fewer than K people; null: nothing is known. */
export type Value = bigint | 'few' | null

/** One figure of the day beside those it is compared with. */
export interface Figure {
  name: string
  /** '' for counts, else the currency; then values are ten-thousandths. */
  currency: string
  today: Value
  before: Value
  /** Of the days whose figure is shown. */
  average: bigint | null
}

/** One day out of the batch metrics. */
export interface PastDay {
  day: string
  events: bigint
  purchases: bigint
  revenue: Map<string, bigint>
  /** Whether something is left out of `events`, of `purchases`, and of `revenue` by currency: a 0 is then none. */
  few: { events: boolean; purchases: boolean; revenue: Set<string> }
}

/** A sum of what is shown, and whether something was hidden from it. */
export function sumOrFew(sum: bigint, few: boolean): bigint | 'few' {
  return sum === 0n && few ? 'few' : sum
}

/**
 * Rows by currency as one row of app and event, as `readBusinessDay` counts the day itself; otherwise a report of a day and
 * the next one's day before would differ by the currency that hides. People of two currencies may be the same, so the larger
 * count is what can be said.
 */
export function foldCurrencies<T extends { app: string; event: string; events: number; users: number }>(
  rows: readonly T[],
  periodOf: (row: T) => string,
): { period: string; app: string; event: string; events: number; users: number }[] {
  const folded = new Map<
    string,
    { period: string; app: string; event: string; events: number; users: number }
  >()
  for (const row of rows) {
    const { app, event } = row
    const key = JSON.stringify([periodOf(row), app, event])
    const sum = folded.get(key) ?? { period: periodOf(row), app, event, events: 0, users: 0 }
    folded.set(key, sum)
    sum.events += row.events
    sum.users = Math.max(sum.users, row.users)
  }
  return [...folded.values()]
}

/** The past days; what fewer than K people did is in no figure. */
export function sumPastDays(history: readonly DailyMetric[]): Map<string, PastDay> {
  const days = new Map<string, PastDay>()
  const dayAt = (day: string): PastDay => {
    const known = days.get(day)
    if (known) return known
    const few = { events: false, purchases: false, revenue: new Set<string>() }
    const made = { day, events: 0n, purchases: 0n, revenue: new Map(), few }
    days.set(day, made)
    return made
  }
  for (const row of foldCurrencies(history, (one) => one.day)) {
    const day = dayAt(row.period)
    if (row.users < K) day.few.events = true
    else day.events += BigInt(row.events)
    if (row.event !== 'purchase') continue
    if (row.users < K) day.few.purchases = true
    else day.purchases += BigInt(row.events)
  }
  for (const row of history.filter((one) => one.event === 'purchase' && one.currency !== '')) {
    const { revenue, few } = dayAt(row.day)
    if (row.users < K) few.revenue.add(row.currency)
    else revenue.set(row.currency, (revenue.get(row.currency) ?? 0n) + parseMoney(row.revenue))
  }
  return days
}

/** Revenue by app and currency of K people or more. What hides is in no total either, so that none gives it away. */
export function shownRevenue(today: BusinessDay): BusinessDay['revenue'] {
  return today.revenue.filter((row) => row.users >= K)
}

/** Shown revenue of the day by currency over all apps; largest first. */
export function sumRevenue(today: BusinessDay): { currency: string; revenue: bigint }[] {
  const sums = new Map<string, { currency: string; revenue: bigint }>()
  for (const row of shownRevenue(today)) {
    const sum = sums.get(row.currency) ?? { currency: row.currency, revenue: 0n }
    sums.set(row.currency, sum)
    sum.revenue += parseMoney(row.revenue)
  }
  return [...sums.values()].sort((a, b) =>
    a.revenue === b.revenue ? a.currency.localeCompare(b.currency) : a.revenue > b.revenue ? -1 : 1,
  )
}

/** Events of a name that the day shows, over all apps or of one. */
export function countShown(today: BusinessDay, event: string, app?: string): Value {
  const rows = today.events.filter((row) => row.event === event && (app === undefined || row.app === app))
  return sumOrFew(BigInt(rows.reduce((sum, row) => sum + row.events, 0)), today.leftOut.rows > 0)
}

/** The headline figures with the day before and the mean of the seven days before, of those that have data. */
export function compareFigures(
  day: string,
  today: BusinessDay,
  past: ReadonlyMap<string, PastDay>,
): Figure[] {
  const before = Array.from({ length: 7 }, (_, index) => addDays(day, -1 - index))
  const raw = new Map(today.days.map((row) => [row.day, row]))
  const figure = (name: string, currency: string, value: Value, of: (past: PastDay) => Value): Figure => {
    const values = before.map((at) => {
      const found = past.get(at)
      return found ? of(found) : null
    })
    // An average of money is rounded to cents, of counts to ones.
    const average = mean(values, currency ? 100n : 1n)
    return { name, currency, today: value, before: values[0] ?? null, average }
  }
  const sum = (key: 'events' | 'users' | 'sessions') => {
    const total = BigInt(today.apps.reduce((all, app) => all + app[key], 0))
    return today.apps.length === 0 ? sumOrFew(total, today.leftOut.rows > 0) : total
  }
  const ofRaw = (key: 'users' | 'sessions') => (at: PastDay) => {
    const row = raw.get(at.day)
    return row ? BigInt(row[key]) : at.few.events ? 'few' : null
  }
  return [
    figure('Events', '', sum('events'), (at) => sumOrFew(at.events, at.few.events)),
    figure('People', '', sum('users'), ofRaw('users')),
    figure('Sessions', '', sum('sessions'), ofRaw('sessions')),
    figure('Purchases', '', countShown(today, 'purchase'), (at) => sumOrFew(at.purchases, at.few.purchases)),
    ...sumRevenue(today).map(({ currency, revenue }) =>
      figure(`Revenue (${currency})`, currency, revenue, (at) => {
        // The people of a currency may be few where those of all together are many, and the other way round.
        const few = at.few.revenue.has(currency) || at.few.purchases
        return sumOrFew(at.revenue.get(currency) ?? 0n, few)
      }),
    ),
  ]
}

function mean(values: Value[], unit: bigint): bigint | null {
  const known = values.filter((value) => typeof value === 'bigint')
  if (known.length === 0) return null
  const sum = known.reduce((total, value) => total + value, 0n)
  const per = BigInt(known.length) * unit
  return ((sum + per / 2n) / per) * unit
}
