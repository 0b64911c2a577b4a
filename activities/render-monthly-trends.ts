import type { DailyMetric } from '../clickhouse/daily-metric.ts'
import type { MonthlyTrend } from '../clickhouse/read-trends.ts'
import { addDays, addMonths, monthOf } from '../schemas/day.ts'
import { foldCurrencies, type PastDay, sumOrFew, sumPastDays, type Value } from './business-figures.ts'
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
import { FEW, K } from './guard-small-groups.ts'
import type { RenderedReport } from './write-report.ts'

const HISTORY_MONTHS = 13

export interface MonthlyTrendsInput {
  month: string
  /** Whether the month was still running. */
  soFar: boolean
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
  few: PastDay['few']
}

/** Month over month, as Markdown, chart and terminal text; groups of fewer than K people are in none of them. Pure. */
export function renderMonthlyTrends(input: MonthlyTrendsInput): RenderedReport {
  const { month } = input
  const { trends } = input
  const running = input.soFar ? month : null
  const hidden = foldCurrencies(trends, (row) => row.month).filter(
    (row) => row.period === month && row.users < K,
  ).length
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
    ...months.map((one) => monthRow(one, months, currencies, running)),
  ]
  const rows = eventRows(month, trends, running)
  const events = [['App', 'Event', 'Events', 'Month before', 'Change', 'People', 'Change'], ...rows]
  const current = months.find((one) => one.month === month)
  const unfinished = input.soFar ? ' The month is not over: these are the figures so far.' : ''
  const counted = current && sumOrFew(BigInt(current.events), current.few.events) !== 'few'
  const opening = counted
    ? `${formatCount(current.events)} events on ${current.days === 1 ? '1 day' : `${current.days} days`} of ${month}.${unfinished}`
    : `No figures for ${month}: it has no batch metrics, or ${FEW} people stand behind them.${unfinished}`
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
    const few = { events: false, purchases: false, revenue: new Set<string>() }
    const { month: name } = row
    const month = months.get(name) ?? {
      month: name,
      days: 0,
      events: 0,
      purchases: 0,
      revenue: new Map(),
      few,
    }
    months.set(name, month)
    if (row.users >= K) month.days = Math.max(month.days, row.days)
  }
  for (const row of foldCurrencies(trends, (one) => one.month)) {
    const month = months.get(row.period)
    if (!month) continue
    if (row.users < K) month.few.events = true
    else month.events += row.events
    if (row.event !== 'purchase') continue
    if (row.users < K) month.few.purchases = true
    else month.purchases += row.events
  }
  for (const row of trends.filter((one) => one.event === 'purchase' && one.currency !== '')) {
    const month = months.get(row.month)
    if (row.users < K) month?.few.revenue.add(row.currency)
    else {
      const sum = month?.revenue.get(row.currency) ?? 0n
      month?.revenue.set(row.currency, sum + parseMoney(row.revenue))
    }
  }
  return [...months.values()].sort((a, b) => a.month.localeCompare(b.month))
}

/** @param running the month that is not over: it is no change on a whole one */
function monthRow(one: Month, months: Month[], currencies: string[], running: string | null): string[] {
  const before = months.find((other) => other.month === addMonths(one.month, -1))
  const counts = (of: (month: Month) => Value) => {
    const now = of(one)
    const then = before ? of(before) : null
    const comparable = one.month !== running && typeof now === 'bigint' && typeof then === 'bigint'
    return [
      now === 'few' ? FEW : formatCount(Number(now)),
      comparable ? formatChange(Number(now), Number(then)) : '–',
    ]
  }
  return [
    one.month,
    one.days === 0 ? '–' : String(one.days),
    ...counts((month) => sumOrFew(BigInt(month.events), month.few.events)),
    ...counts((month) => sumOrFew(BigInt(month.purchases), month.few.purchases)),
    ...currencies.flatMap((currency) => {
      const now = one.revenue.get(currency)
      const then = before?.revenue.get(currency)
      const few = one.few.revenue.has(currency)
      return [
        now === undefined ? (few ? FEW : '–') : formatMoney(now, currency),
        now === undefined || then === undefined || one.month === running
          ? '–'
          : formatChange(Number(now), Number(then)),
      ]
    }),
  ]
}

/** The month's rows by app and event. */
function eventRows(month: string, trends: readonly MonthlyTrend[], running: string | null): string[][] {
  const all = foldCurrencies(trends, (one) => one.month)
  const earlier = addMonths(month, -1)
  return all
    .filter((row) => row.period === month && row.users >= K)
    .map((row) => {
      const then = all.find((one) => one.period === earlier && one.app === row.app && one.event === row.event)
      const than = then && then.users >= K && month !== running ? then : null
      return [
        row.app,
        row.event,
        formatCount(row.events),
        then ? (then.users < K ? FEW : formatCount(then.events)) : '–',
        formatChange(row.events, than?.events ?? null),
        formatCount(row.users),
        formatChange(row.users, than?.users ?? null),
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
      values: labels.map((day) => toColumn(past.get(day))),
      valueLabel: 'events',
      ...(currency ? { line: line(labels.map((day) => past.get(day)?.revenue.get(currency))) } : {}),
    },
    {
      kind: 'columns',
      title: 'Events by month',
      labels: all,
      values: all.map((month) => toColumn(byMonth.get(month))),
      valueLabel: 'events',
      ...(currency ? { line: line(all.map((month) => byMonth.get(month)?.revenue.get(currency))) } : {}),
    },
  ]
  const now = byMonth.get(input.month)
  const figure = toColumn(now)
  const description = `Columns of events by day of ${input.month} and by month over a year, each with a line of revenue. ${figure ? `${formatCount(figure)} events in ${input.month}.` : ''}`
  return drawChart(`Monthly trends ${input.month}`, description, panels)
}

/** null where few people stand behind it, undefined where there are no figures. */
function toColumn(
  of: (Pick<Month, 'few'> & { events: number | bigint }) | undefined,
): number | null | undefined {
  return of && (Number(of.events) === 0 && of.few.events ? null : Number(of.events))
}
