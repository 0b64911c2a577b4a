import type { DailyMetric } from '../clickhouse/daily-metric.ts'
import type { MonthlyTrend } from '../clickhouse/read-trends.ts'
import { addDays, addMonths, monthOf } from '../schemas/day.ts'
import { sumPastDays } from './business-figures.ts'
import { drawChart, type Panel } from './draw-chart.ts'
import {
  formatChange,
  formatColumns,
  formatCount,
  formatMoney,
  formatTable,
  moneyToNumber,
  parseMoney,
} from './format-figures.ts'
import { K } from './guard-small-groups.ts'
import type { RenderedReport } from './write-report.ts'

const HISTORY_MONTHS = 13

export interface MonthlyTrendsInput {
  month: string
  /** The month and a year before it. */
  trends: MonthlyTrend[]
  /** Batch metrics of the month's days. */
  days: DailyMetric[]
}

interface Month {
  month: string
  days: number
  events: number
  purchases: number
  revenue: Map<string, bigint>
}

/** Month over month, as Markdown, chart and terminal text; groups of fewer than K people are in none of them. Pure. */
export function renderMonthlyTrends(input: MonthlyTrendsInput): RenderedReport {
  const { month } = input
  // Rows of few people are in no figure, so that no total gives them away.
  const trends = input.trends.filter((row) => row.users >= K)
  const hidden = input.trends.filter((row) => row.month === month && row.users < K).length
  const name = `monthly_trends_${month}`
  const months = sumMonths(trends)
  const currencies = [...new Set(months.flatMap((one) => [...one.revenue.keys()]))].sort()
  const overview = [
    [
      'Month',
      'Days',
      'Events',
      'Change',
      'Purchases',
      'Change',
      ...currencies.flatMap((one) => [one, 'Change']),
    ],
    ...months.map((one) => monthRow(one, months, currencies)),
  ]
  const rows = eventRows(month, trends)
  const events = [['App', 'Event', 'Events', 'Month before', 'Change', 'People', 'Change'], ...rows]
  const current = months.find((one) => one.month === month)
  const opening = current
    ? `${formatCount(current.events)} events on ${current.days === 1 ? '1 day' : `${current.days} days`} of ${month}.`
    : `No figures for ${month}: it has no batch metrics, or fewer than ${K} people stand behind them.`
  const note =
    hidden > 0
      ? `${hidden === 1 ? '1 row is' : `${hidden} rows are`} left out of all figures: fewer than ${K} people.`
      : ''
  const markdown = [
    `# Monthly trends ${month}`,
    opening,
    `![Events by day of ${month}, and by month with revenue](${name}.svg)`,
    '## Month over month',
    formatTable(overview[0] ?? [], overview.slice(1)),
    '## Events, against the month before',
    formatTable(events[0] ?? [], rows, 2),
    ...(note ? [note] : []),
    `---\nDays are UTC. People are distinct within app, event and month. No figure is shown about fewer than ${K} people.`,
  ].join('\n\n')
  const title = `Monthly trends ${month}`
  const text = [
    `${title}\n${'='.repeat(title.length)}`,
    opening,
    formatColumns(overview),
    formatColumns(events, 2),
    ...(note ? [note] : []),
  ].join('\n\n')
  return { name, markdown: `${markdown}\n`, svg: toChart(input, months, currencies[0]), text: `${text}\n` }
}

function sumMonths(trends: readonly MonthlyTrend[]): Month[] {
  const months = new Map<string, Month>()
  for (const row of trends) {
    const month = months.get(row.month) ?? {
      month: row.month,
      days: 0,
      events: 0,
      purchases: 0,
      revenue: new Map(),
    }
    months.set(row.month, month)
    month.days = Math.max(month.days, row.days)
    month.events += row.events
    if (row.event !== 'purchase') continue
    month.purchases += row.events
    if (row.currency === '') continue
    month.revenue.set(row.currency, (month.revenue.get(row.currency) ?? 0n) + parseMoney(row.revenue))
  }
  return [...months.values()].sort((a, b) => a.month.localeCompare(b.month))
}

function monthRow(one: Month, months: Month[], currencies: string[]): string[] {
  const before = months.find((other) => other.month === addMonths(one.month, -1))
  return [
    one.month,
    String(one.days),
    formatCount(one.events),
    formatChange(one.events, before?.events ?? null),
    formatCount(one.purchases),
    formatChange(one.purchases, before?.purchases ?? null),
    ...currencies.flatMap((currency) => {
      const now = one.revenue.get(currency)
      const then = before?.revenue.get(currency)
      return [
        now === undefined ? '–' : formatMoney(now, currency),
        now === undefined || then === undefined ? '–' : formatChange(Number(now), Number(then)),
      ]
    }),
  ]
}

/** The month's rows by app and event, currencies folded. */
function eventRows(month: string, trends: readonly MonthlyTrend[]): string[][] {
  const fold = (of: string) => {
    const rows = new Map<string, { app: string; event: string; events: number; users: number }>()
    for (const row of trends.filter((one) => one.month === of)) {
      const key = JSON.stringify([row.app, row.event])
      const known = rows.get(key) ?? { app: row.app, event: row.event, events: 0, users: 0 }
      rows.set(key, known)
      known.events += row.events
      // People of two currencies may be the same, so the larger count is what can be said.
      known.users = Math.max(known.users, row.users)
    }
    return rows
  }
  const before = fold(addMonths(month, -1))
  return [...fold(month).values()].map((row) => {
    const then = before.get(JSON.stringify([row.app, row.event]))
    return [
      row.app,
      row.event,
      formatCount(row.events),
      then ? formatCount(then.events) : '–',
      formatChange(row.events, then?.events ?? null),
      formatCount(row.users),
      formatChange(row.users, then?.users ?? null),
    ]
  })
}

function toChart(input: MonthlyTrendsInput, months: Month[], currency: string | undefined): string {
  const past = sumPastDays(input.days)
  const labels: string[] = []
  for (let day = `${input.month}-01`; monthOf(day) === input.month; day = addDays(day, 1)) labels.push(day)
  const all = Array.from({ length: HISTORY_MONTHS }, (_, index) =>
    addMonths(input.month, index + 1 - HISTORY_MONTHS),
  )
  const byMonth = new Map(months.map((one) => [one.month, one]))
  const line = (values: (bigint | undefined)[]) => ({
    label: `revenue (${currency})`,
    values: values.map((value) => (value === undefined ? null : moneyToNumber(value))),
  })
  const panels: Panel[] = [
    {
      kind: 'columns',
      title: `Events by day, ${input.month} (UTC)`,
      labels: labels.map((day) => day.slice(8)),
      values: labels.map((day) => Number(past.get(day)?.events ?? 0n)),
      valueLabel: 'events',
      ...(currency ? { line: line(labels.map((day) => past.get(day)?.revenue.get(currency))) } : {}),
    },
    {
      kind: 'columns',
      title: 'Events by month',
      labels: all,
      values: all.map((month) => byMonth.get(month)?.events ?? 0),
      valueLabel: 'events',
      ...(currency ? { line: line(all.map((month) => byMonth.get(month)?.revenue.get(currency))) } : {}),
    },
  ]
  const now = byMonth.get(input.month)
  const description = `Columns of events by day of ${input.month} and by month over a year, each with a line of revenue. ${now ? `${formatCount(now.events)} events in ${input.month}.` : ''}`
  return drawChart(`Monthly trends ${input.month}`, description, panels)
}
