import type { DailyMetric } from '../clickhouse/daily-metric.ts'
import type { BusinessDay } from '../clickhouse/read-business-day.ts'
import type { RejectedCounts } from '../kafka/read-rejections.ts'
import { addDays } from '../schemas/day.ts'
import { compareFigures, type Figure, type PastDay, sumPastDays, sumRevenue } from './business-figures.ts'
import { drawChart, type Panel } from './draw-chart.ts'
import {
  formatChange,
  formatColumns,
  formatCount,
  formatMoney,
  formatShare,
  formatTable,
  moneyToNumber,
  parseMoney,
} from './format-figures.ts'
import { guardSmallGroups, K } from './guard-small-groups.ts'
import type { RenderedReport } from './write-report.ts'

const TOP = 10
const CHART_DAYS = 14

export interface BusinessReportInput {
  day: string
  /** Whether the day was still running. */
  soFar: boolean
  today: BusinessDay
  /** Batch metrics of the fortnight before. */
  history: DailyMetric[]
  rejected: RejectedCounts
  check: { batchRows: number; differingRows: number }
}

interface Section {
  title: string
  /** A sentence over the table. */
  note?: string
  head: string[]
  rows: string[][]
  /** Columns of text; the others are figures. */
  textColumns: number
  /** Rows left out for k. */
  hidden: number
}

/** The day as Markdown, chart and terminal text. Groups of fewer than K people are in none of them. Pure. */
export function renderBusinessReport(input: BusinessReportInput): RenderedReport {
  const { day, today } = input
  const name = `business_report_${day}`
  const people = today.apps.reduce((sum, app) => sum + app.users, 0)
  // Below K people in all, any figure is about few: the report says so and nothing else.
  const few = people > 0 && people < K
  const shown = few ? emptyDay() : today
  const past = sumPastDays(input.history)
  const sections = few ? [] : sectionsOf(input, past)
  const opening = openingOf(input, few, people)
  return {
    name,
    markdown: toMarkdown(input, name, opening, sections),
    svg: toChart(day, shown, past),
    text: toText(input, opening, sections),
  }
}

function emptyDay(): BusinessDay {
  return {
    apps: [],
    events: [],
    days: [],
    revenue: [],
    hours: [],
    funnel: [],
    pages: [],
    products: [],
    buttons: [],
  }
}

function openingOf(
  { day, soFar, today, check }: BusinessReportInput,
  few: boolean,
  people: number,
): string[] {
  const events = today.apps.reduce((sum, app) => sum + app.events, 0)
  const revenue = sumRevenue(today)
    .filter((row) => row.users >= K)
    .map((row) => formatMoney(row.revenue, row.currency))
  const counted = few
    ? `Fewer than ${K} people were seen on ${day}: no figures are shown.`
    : `${formatCount(events)} events of ${formatCount(people)} people${revenue.length > 0 ? `; revenue ${revenue.join(' and ')}` : ''}.`
  const checked =
    check.differingRows === 0
      ? `Batch and streaming metrics agree in all ${formatCount(check.batchRows)} rows.`
      : `**Batch and streaming metrics differ in ${formatCount(check.differingRows)} rows**: see the alert.`
  return [counted, checked, ...(soFar ? ['The day is not over: these are the figures so far.'] : [])]
}

function sectionsOf(input: BusinessReportInput, past: ReadonlyMap<string, PastDay>): Section[] {
  const { today } = input
  return [
    glance(compareFigures(input.day, today, past)),
    appsSection(today),
    eventsSection(today),
    funnelSection(today),
    productsSection(today),
    buttonsSection(today),
    pagesSection(today),
    rejectedSection(input.rejected),
  ].filter((section) => section !== null)
}

function glance(figures: Figure[]): Section {
  const show = (figure: Figure, value: bigint | null) =>
    value === null ? '–' : figure.currency ? formatMoney(value, figure.currency) : formatCount(Number(value))
  const change = (figure: Figure, than: bigint | null) =>
    formatChange(Number(figure.today), than === null ? null : Number(than))
  return {
    title: 'At a glance',
    head: ['', 'Day', 'Day before', 'Change', '7-day average', 'Change'],
    rows: figures.map((figure) => [
      figure.name,
      show(figure, figure.today),
      show(figure, figure.before),
      change(figure, figure.before),
      show(figure, figure.average),
      change(figure, figure.average),
    ]),
    textColumns: 1,
    hidden: 0,
  }
}

/** Guards each app by itself: people are counted by app, and so is the total that a hidden row could be taken from. */
function guardByApp<T extends { app: string; users: number }>(
  rows: readonly T[],
): { shown: T[]; hidden: number } {
  const shown = new Set(
    [...new Set(rows.map((row) => row.app))].flatMap(
      (app) => guardSmallGroups(rows.filter((row) => row.app === app)).shown,
    ),
  )
  return { shown: rows.filter((row) => shown.has(row)), hidden: rows.length - shown.size }
}

function appsSection(today: BusinessDay): Section {
  const { shown, hidden } = guardSmallGroups(today.apps)
  const money = guardByApp(today.revenue).shown
  const total = (key: 'events' | 'users' | 'sessions') => today.apps.reduce((sum, app) => sum + app[key], 0)
  return {
    title: 'Apps',
    head: ['App', 'Events', 'People', 'Sessions', 'Revenue'],
    rows: [
      ...shown.map((row) => [
        row.app,
        formatCount(row.events),
        formatCount(row.users),
        formatCount(row.sessions),
        money
          .filter((one) => one.app === row.app)
          .map((one) => formatMoney(parseMoney(one.revenue), one.currency))
          .join(', ') || '–',
      ]),
      [
        'All',
        formatCount(total('events')),
        formatCount(total('users')),
        formatCount(total('sessions')),
        sumRevenue(today)
          .filter((row) => row.users >= K)
          .map((row) => formatMoney(row.revenue, row.currency))
          .join(', ') || '–',
      ],
    ],
    textColumns: 1,
    hidden,
  }
}

function eventsSection(today: BusinessDay): Section {
  const { shown, hidden } = guardByApp(today.events)
  return {
    title: 'Events',
    head: ['App', 'Event', 'Events', 'People', 'Sessions'],
    rows: shown.map((row) => [
      row.app,
      row.event,
      formatCount(row.events),
      formatCount(row.users),
      formatCount(row.sessions),
    ]),
    textColumns: 2,
    hidden,
  }
}

function funnelSection(today: BusinessDay): Section | null {
  const people = new Map(today.apps.map((app) => [app.app, app.users]))
  const funnels = today.funnel.filter((row) => row.viewed >= K && (people.get(row.app) ?? 0) >= K)
  if (funnels.length === 0) return null
  const step = (value: number, whole: number) =>
    value < K ? [`fewer than ${K}`, '–'] : [formatCount(value), formatShare(value, whole)]
  return {
    title: 'Conversion',
    note: 'People, in this order within the day; shares are of those who viewed.',
    head: ['App', 'Viewed a page', 'Added to cart', 'Share', 'Purchased', 'Share'],
    rows: funnels.map((row) => [
      row.app,
      formatCount(row.viewed),
      ...step(row.added, row.viewed),
      ...step(row.purchased, row.viewed),
    ]),
    textColumns: 1,
    hidden: today.funnel.length - funnels.length,
  }
}

function productsSection(today: BusinessDay): Section | null {
  if (today.products.length === 0) return null
  const { shown, hidden } = guardByApp(today.products)
  return {
    title: 'Top products',
    head: ['App', 'Product', 'Added to cart', 'Purchases', 'Revenue', 'People'],
    rows: shown.slice(0, TOP).map((row) => [
      row.app,
      row.product,
      formatCount(row.carts),
      formatCount(row.purchases),
      Object.entries(row.revenue)
        .map(([currency, revenue]) => formatMoney(parseMoney(String(revenue)), currency))
        .join(', ') || '–',
      formatCount(row.users),
    ]),
    textColumns: 2,
    hidden,
  }
}

function buttonsSection(today: BusinessDay): Section | null {
  if (today.buttons.length === 0) return null
  const { shown, hidden } = guardByApp(today.buttons)
  return {
    title: 'Top buttons',
    head: ['App', 'Button', 'Clicks', 'People'],
    rows: shown
      .slice(0, TOP)
      .map((row) => [row.app, row.element, formatCount(row.clicks), formatCount(row.users)]),
    textColumns: 2,
    hidden,
  }
}

function pagesSection(today: BusinessDay): Section | null {
  if (today.pages.length === 0) return null
  const { shown, hidden } = guardByApp(today.pages)
  return {
    title: 'Top pages',
    head: ['App', 'Page', 'Views', 'People'],
    rows: shown
      .slice(0, TOP)
      .map((row) => [row.app, row.path, formatCount(row.events), formatCount(row.users)]),
    textColumns: 2,
    hidden,
  }
}

function rejectedSection({ counts, complete }: RejectedCounts): Section {
  const total = counts.reduce((sum, row) => sum + row.count, 0)
  return {
    title: 'Rejected events',
    note: complete
      ? 'Events that the gate refused, by reason. Nothing of them is stored.'
      : 'Events that the gate refused, by reason, as far as they could be read: the count may be higher.',
    head: ['App', 'Reason', 'Events'],
    rows: [
      ...counts.map((row) => [row.app, row.code, formatCount(row.count)]),
      ['All', '', formatCount(total)],
    ],
    textColumns: 2,
    hidden: 0,
  }
}

const hiddenNote = (hidden: number) =>
  `${hidden === 1 ? '1 row is' : `${hidden} rows are`} left out: fewer than ${K} people stand behind ${hidden === 1 ? 'it' : 'them'}, or they would give away one that is left out.`

function toMarkdown(
  input: BusinessReportInput,
  name: string,
  opening: string[],
  sections: Section[],
): string {
  const parts = [
    `# Business report ${input.day}`,
    opening.join(' '),
    `![Events of ${input.day} by hour, the past fortnight with revenue, and top pages](${name}.svg)`,
  ]
  for (const section of sections) {
    parts.push(`## ${section.title}`)
    if (section.note) parts.push(section.note)
    parts.push(formatTable(section.head, section.rows, section.textColumns))
    if (section.hidden > 0) parts.push(hiddenNote(section.hidden))
  }
  parts.push(
    `---\nDays are UTC. People are distinct within an app. Averages are over those of the seven days before that have data. No figure is shown about fewer than ${K} people.`,
  )
  return `${parts.join('\n\n')}\n`
}

function toText(input: BusinessReportInput, opening: string[], sections: Section[]): string {
  const title = `Business report ${input.day}`
  const parts = [`${title}\n${'='.repeat(title.length)}`, opening.join('\n').replaceAll('**', '')]
  for (const section of sections) {
    const table = formatColumns([section.head, ...section.rows], section.textColumns)
    parts.push(`${section.title}\n${table}${section.hidden > 0 ? `\n(${hiddenNote(section.hidden)})` : ''}`)
  }
  return `${parts.join('\n\n')}\n`
}

function toChart(day: string, today: BusinessDay, past: ReadonlyMap<string, PastDay>): string {
  const byHour = new Map(today.hours.map((row) => [row.hour, row]))
  const shownHours = new Set(guardSmallGroups(today.hours).shown)
  const hours = Array.from({ length: 24 }, (_, hour) => byHour.get(hour))
  const main = sumRevenue(today).find((row) => row.users >= K)
  const days = Array.from({ length: CHART_DAYS }, (_, index) => addDays(day, index + 1 - CHART_DAYS))
  const events = today.apps.reduce((sum, app) => sum + app.events, 0)
  const eventsOf = (at: string) => (at === day ? events : Number(past.get(at)?.events ?? 0n))
  const revenueOf = (at: string) => {
    if (at === day) return main ? moneyToNumber(main.revenue) : null
    const found = past.get(at)
    return found && main ? moneyToNumber(found.revenue.get(main.currency) ?? 0n) : null
  }
  const pages = guardByApp(today.pages).shown.slice(0, TOP)
  const panels: Panel[] = [
    {
      kind: 'columns',
      title: `Events by hour, ${day} (UTC)`,
      labels: hours.map((_, hour) => String(hour).padStart(2, '0')),
      values: hours.map((row) => (row === undefined ? 0 : shownHours.has(row) ? row.events : null)),
      valueLabel: 'events',
    },
    {
      kind: 'columns',
      title: 'The past fortnight',
      labels: days.map((at) => at.slice(5)),
      values: days.map(eventsOf),
      valueLabel: 'events',
      ...(main ? { line: { label: `revenue (${main.currency})`, values: days.map(revenueOf) } } : {}),
    },
    {
      kind: 'bars',
      title: 'Top pages',
      rows: pages.map((row) => ({
        label: `${row.app} ${row.path}`,
        value: row.events,
        note: `${formatCount(row.events)} views, ${formatCount(row.users)} people`,
      })),
    },
  ]
  return drawChart(`Business report ${day}`, describe(day, hours, shownHours, pages), panels)
}

function describe(
  day: string,
  hours: (BusinessDay['hours'][number] | undefined)[],
  shown: ReadonlySet<BusinessDay['hours'][number]>,
  pages: BusinessDay['pages'],
): string {
  const seen = hours.filter((row) => row !== undefined && shown.has(row)).map((row) => row!)
  const busiest = seen.reduce((most, row) => (row.events > most.events ? row : most), { hour: 0, events: 0 })
  const hour =
    seen.length > 0 ? `Busiest hour ${busiest.hour}:00 UTC with ${formatCount(busiest.events)} events.` : ''
  const page = pages[0] ? ` Most viewed page: ${pages[0].path}.` : ''
  return `Columns of events by hour on ${day}, of events by day with a line of revenue, and bars of the most viewed pages. ${hour}${page}`
}
