import type { DailyMetric } from '../clickhouse/daily-metric.ts'
import type { BusinessDay } from '../clickhouse/read-business-day.ts'
import { addDays } from '../schemas/day.ts'
import { parseMoney } from './format-figures.ts'
import { K } from './guard-small-groups.ts'

/** One figure of the day beside those it is compared with; null where there is nothing to compare, or too few people. */
export interface Figure {
  name: string
  /** '' for counts, else the currency; then values are ten-thousandths. */
  currency: string
  today: bigint
  before: bigint | null
  average: bigint | null
}

/** One day out of the batch metrics. */
export interface PastDay {
  day: string
  events: bigint
  purchases: bigint
  revenue: Map<string, bigint>
}

/** The past days, of rows with K people or more; the others are in no figure. */
export function sumPastDays(history: readonly DailyMetric[]): Map<string, PastDay> {
  const days = new Map<string, PastDay>()
  for (const row of history.filter((one) => one.users >= K)) {
    const day = days.get(row.day) ?? { day: row.day, events: 0n, purchases: 0n, revenue: new Map() }
    days.set(row.day, day)
    day.events += BigInt(row.events)
    if (row.event !== 'purchase') continue
    day.purchases += BigInt(row.events)
    if (row.currency === '') continue
    day.revenue.set(row.currency, (day.revenue.get(row.currency) ?? 0n) + parseMoney(row.revenue))
  }
  return days
}

/** Revenue of the day by currency over all apps, with the people behind it; largest first. */
export function sumRevenue(
  today: BusinessDay,
): { currency: string; revenue: bigint; purchases: number; users: number }[] {
  const sums = new Map<string, { currency: string; revenue: bigint; purchases: number; users: number }>()
  for (const row of today.revenue) {
    const sum = sums.get(row.currency) ?? { currency: row.currency, revenue: 0n, purchases: 0, users: 0 }
    sums.set(row.currency, sum)
    sum.revenue += parseMoney(row.revenue)
    sum.purchases += row.purchases
    sum.users += row.users
  }
  return [...sums.values()].sort((a, b) =>
    a.revenue === b.revenue ? a.currency.localeCompare(b.currency) : a.revenue > b.revenue ? -1 : 1,
  )
}

/** The headline figures with the day before and the mean of the seven days before, of those that have data. */
export function compareFigures(
  day: string,
  today: BusinessDay,
  past: ReadonlyMap<string, PastDay>,
): Figure[] {
  const before = Array.from({ length: 7 }, (_, index) => addDays(day, -1 - index))
  const raw = new Map(today.days.map((row) => [row.day, row]))
  const figure = (
    name: string,
    currency: string,
    value: bigint,
    of: (day: string) => bigint | null,
  ): Figure => {
    const values = before.map(of)
    // An average of money is rounded to cents, of counts to ones.
    return {
      name,
      currency,
      today: value,
      before: values[0] ?? null,
      average: mean(values, currency ? 100n : 1n),
    }
  }
  const sum = (key: 'events' | 'users' | 'sessions') =>
    BigInt(today.apps.reduce((total, app) => total + app[key], 0))
  const ofRaw = (key: 'users' | 'sessions') => (at: string) => {
    const row = raw.get(at)
    return row ? BigInt(row[key]) : null
  }
  const purchases = today.events.filter((row) => row.event === 'purchase')
  const purchased = BigInt(purchases.reduce((total, row) => total + row.events, 0))
  return [
    figure('Events', '', sum('events'), (at) => past.get(at)?.events ?? null),
    figure('People', '', sum('users'), ofRaw('users')),
    figure('Sessions', '', sum('sessions'), ofRaw('sessions')),
    figure('Purchases', '', purchased, (at) => past.get(at)?.purchases ?? null),
    ...sumRevenue(today)
      .filter((row) => row.users >= K)
      .map((row) =>
        figure(`Revenue (${row.currency})`, row.currency, row.revenue, (at) => {
          const found = past.get(at)
          return found ? (found.revenue.get(row.currency) ?? 0n) : null
        }),
      ),
  ]
}

function mean(values: (bigint | null)[], unit: bigint): bigint | null {
  const known = values.filter((value) => value !== null)
  if (known.length === 0) return null
  const sum = known.reduce((total, value) => total + value, 0n)
  const per = BigInt(known.length) * unit
  return ((sum + per / 2n) / per) * unit
}
