import type { BusinessDay } from '../clickhouse/read-business-day.ts'
import type { RejectedCounts } from '../kafka/read-rejections.ts'
import {
  compareFigures,
  countShown,
  type Figure,
  type PastDay,
  shownRevenue,
  sumRevenue,
  type Value,
} from './business-figures.ts'
import { productsSection } from './business-products.ts'
import { refusalSections } from './business-refusals.ts'
import { formatChange, formatCount, formatMoney, formatShare, parseMoney } from './format-figures.ts'
import { FEW, guardByApp, K } from './guard-small-groups.ts'
import type { Section } from './report-section.ts'

const TOP = 10

/** What the figures of a day may be set beside. */
export interface Standing {
  /** Nothing happened on the day; it was counted by the batch; or it was not yet, and is not compared with anything. */
  recount: 'empty' | 'done' | 'missing'
  /** Whether the day was still running: its figures so far are no change on whole days. */
  soFar: boolean
}

/** The tables of a business report, those without a row left out. */
export function businessSections(
  input: { day: string; today: BusinessDay; rejected: RejectedCounts },
  past: ReadonlyMap<string, PastDay>,
  standing: Standing,
): Section[] {
  const { today } = input
  return [
    glance(compareFigures(input.day, today, past), standing),
    ...(today.apps.length > 0 ? [appsSection(today), eventsSection(today)] : []),
    funnelSection(today),
    productsSection(today, TOP),
    buttonsSection(today),
    pagesSection(today),
    ...refusalSections(input.rejected),
  ].filter((section) => section !== null)
}

function glance(figures: Figure[], { recount, soFar }: Standing): Section {
  const show = (figure: Figure, value: Value) => {
    if (value === null) return '–'
    if (value === 'few') return FEW
    return figure.currency ? formatMoney(value, figure.currency) : formatCount(Number(value))
  }
  const change = ({ today }: Figure, than: Value) =>
    typeof today === 'bigint' && typeof than === 'bigint' ? formatChange(Number(today), Number(than)) : '–'
  const against = (figure: Figure, than: Value) => [
    show(figure, than),
    ...(soFar ? [] : [change(figure, than)]),
  ]
  const columns = (name: string) => [name, ...(soFar ? [] : ['Change'])]
  const compared = recount !== 'missing'
  return {
    title: 'At a glance',
    head: [
      '',
      soFar ? 'So far' : 'Day',
      ...(compared ? [...columns('Day before'), ...columns('7-day average')] : []),
    ],
    rows: figures.map((figure) => [
      figure.name,
      show(figure, figure.today),
      ...(compared ? [...against(figure, figure.before), ...against(figure, figure.average)] : []),
    ]),
    textColumns: 1,
    hidden: 0,
  }
}

function appsSection(today: BusinessDay): Section {
  const revenue = shownRevenue(today)
  const total = (key: 'events' | 'users' | 'sessions') => today.apps.reduce((sum, app) => sum + app[key], 0)
  const orNone = (shown: string[], isHidden: boolean) => shown.join(', ') || (isHidden ? FEW : '–')
  const moneyOf = (app: string) =>
    orNone(
      revenue
        .filter((row) => row.app === app)
        .map((row) => formatMoney(parseMoney(row.revenue), row.currency)),
      today.revenue.some((row) => row.app === app) || countShown(today, 'purchase', app) === 'few',
    )
  return {
    title: 'Apps',
    ...(revenue.length < today.revenue.length
      ? { note: `Money in a currency that ${FEW} people of an app paid in is in no figure.` }
      : {}),
    head: ['App', 'Events', 'People', 'Sessions', 'Revenue'],
    rows: [
      ...today.apps.map((row) => [
        row.app,
        formatCount(row.events),
        formatCount(row.users),
        formatCount(row.sessions),
        moneyOf(row.app),
      ]),
      [
        'All',
        formatCount(total('events')),
        formatCount(total('users')),
        formatCount(total('sessions')),
        orNone(
          sumRevenue(today).map((row) => formatMoney(row.revenue, row.currency)),
          today.revenue.length > 0 || countShown(today, 'purchase') === 'few',
        ),
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
  const step = (value: number, whole: number, total: Value) =>
    value < K && total !== 0n ? [FEW, '–'] : [formatCount(value), formatShare(value, whole)]
  return {
    title: 'Conversion',
    note: 'People, in this order within the day; shares are of those who viewed.',
    head: ['App', 'Viewed a page', 'Added to cart', 'Share', 'Purchased', 'Share'],
    rows: funnels.map((row) => [
      row.app,
      formatCount(row.viewed),
      ...step(row.added, row.viewed, countShown(today, 'add_to_cart', row.app)),
      ...step(row.purchased, row.viewed, countShown(today, 'purchase', row.app)),
    ]),
    textColumns: 1,
    hidden: 0,
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
