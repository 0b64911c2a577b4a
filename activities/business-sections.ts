import type { BusinessDay } from '../clickhouse/read-business-day.ts'
import type { RejectedCounts } from '../kafka/read-rejections.ts'
import { compareFigures, type Figure, type PastDay, sumRevenue } from './business-figures.ts'
import { formatChange, formatCount, formatMoney, formatShare, parseMoney } from './format-figures.ts'
import { guardByApp, K } from './guard-small-groups.ts'

const TOP = 10

export interface Section {
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

/** The tables of a business report, those without a row left out. */
export function businessSections(
  input: { day: string; today: BusinessDay; rejected: RejectedCounts },
  past: ReadonlyMap<string, PastDay>,
): Section[] {
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

function appsSection(today: BusinessDay): Section {
  const { shown: money } = guardByApp(today.revenue)
  const total = (key: 'events' | 'users' | 'sessions') => today.apps.reduce((sum, app) => sum + app[key], 0)
  const moneyOf = (app: string) =>
    money
      .filter((row) => row.app === app)
      .map((row) => formatMoney(parseMoney(row.revenue), row.currency))
      .join(', ')
  return {
    title: 'Apps',
    head: ['App', 'Events', 'People', 'Sessions', 'Revenue'],
    rows: [
      ...today.apps.map((row) => [
        row.app,
        formatCount(row.events),
        formatCount(row.users),
        formatCount(row.sessions),
        moneyOf(row.app) || '–',
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
    hidden: 0,
  }
}

function eventsSection(today: BusinessDay): Section {
  return {
    title: 'Events',
    head: ['App', 'Event', 'Events', 'People', 'Sessions'],
    rows: today.events.map((row) => [
      row.app,
      row.event,
      formatCount(row.events),
      formatCount(row.users),
      formatCount(row.sessions),
    ]),
    textColumns: 2,
    hidden: 0,
  }
}

function funnelSection(today: BusinessDay): Section | null {
  const funnels = today.funnel.filter((row) => row.viewed >= K)
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
    hidden: 0,
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
