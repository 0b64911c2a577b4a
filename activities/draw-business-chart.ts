import type { BusinessDay } from '../clickhouse/read-business-day.ts'
import { addDays } from '../schemas/day.ts'
import { type PastDay, sumOrFew, sumRevenue } from './business-figures.ts'
import { drawChart, type Panel } from './draw-chart.ts'
import { formatCount, moneyToNumber } from './format-figures.ts'
import { guardByApp, guardSmallGroups } from './guard-small-groups.ts'

const TOP = 10
const CHART_DAYS = 14

/** Events by hour, the fortnight with a line of revenue, and the top pages; hours of fewer than K people are hatched. */
export function drawBusinessChart(
  day: string,
  today: BusinessDay,
  past: ReadonlyMap<string, PastDay>,
): string {
  const byHour = new Map(today.hours.map((row) => [row.hour, row]))
  const shownHours = new Set(guardSmallGroups(today.hours).shown)
  const hours = Array.from({ length: 24 }, (_, hour) => byHour.get(hour))
  const main = sumRevenue(today)[0]
  const allHidden = today.apps.length === 0 && today.leftOut.rows > 0
  const days = Array.from({ length: CHART_DAYS }, (_, index) => addDays(day, index + 1 - CHART_DAYS))
  const events = today.apps.reduce((sum, app) => sum + app.events, 0)
  const eventsOf = (at: string) => {
    if (at === day) return allHidden ? null : events
    const found = past.get(at)
    if (found === undefined) return undefined
    return found.events === 0n && found.few.events ? null : Number(found.events)
  }
  const revenueOf = (at: string) => {
    if (at === day) return main ? moneyToNumber(main.revenue) : null
    const found = past.get(at)
    if (!found || !main) return null
    const value = sumOrFew(
      found.revenue.get(main.currency) ?? 0n,
      found.few.revenue.has(main.currency) || found.few.purchases,
    )
    return value === 'few' ? null : moneyToNumber(value)
  }
  const pages = guardByApp(today.pages).shown.slice(0, TOP)
  const panels: Panel[] = [
    {
      kind: 'columns',
      title: `Events by hour, ${day} (UTC)`,
      labels: hours.map((_, hour) => String(hour).padStart(2, '0')),
      values: hours.map((row) => {
        if (row === undefined) return allHidden ? null : 0
        return shownHours.has(row) ? row.events : null
      }),
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
