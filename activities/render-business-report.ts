import type { DailyMetric } from '../clickhouse/daily-metric.ts'
import type { BusinessDay } from '../clickhouse/read-business-day.ts'
import type { RejectedCounts } from '../kafka/read-rejections.ts'
import { sumPastDays, sumRevenue } from './business-figures.ts'
import { businessSections, type Section } from './business-sections.ts'
import { drawBusinessChart } from './draw-business-chart.ts'
import { formatColumns, formatCount, formatMoney, formatTable } from './format-figures.ts'
import { K } from './guard-small-groups.ts'
import type { RenderedReport } from './write-report.ts'

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

/** The day as Markdown, chart and terminal text. Groups of fewer than K people are in none of them. Pure. */
export function renderBusinessReport(input: BusinessReportInput): RenderedReport {
  const { day, today } = input
  const name = `business_report_${day}`
  const past = sumPastDays(input.history)
  const sections = businessSections(input, past)
  const opening = openingOf(input)
  return {
    name,
    markdown: toMarkdown(input, name, opening, sections),
    svg: drawBusinessChart(day, today, past),
    text: toText(input, opening, sections),
  }
}

function openingOf({ soFar, today, check }: BusinessReportInput): string[] {
  const total = (key: 'events' | 'users') => today.apps.reduce((sum, app) => sum + app[key], 0)
  const money = sumRevenue(today)
    .filter((row) => row.users >= K)
    .map((row) => formatMoney(row.revenue, row.currency))
  const counted = `${formatCount(total('events'))} events of ${formatCount(total('users'))} people`
  const { rows } = today.leftOut
  return [
    `${counted}${money.length > 0 ? `; revenue ${money.join(' and ')}` : ''}.`,
    ...(rows > 0
      ? [
          `${rows === 1 ? '1 kind of event' : `${rows} kinds of event`} with fewer than ${K} people left out of all figures.`,
        ]
      : []),
    check.differingRows === 0
      ? `Batch and streaming metrics agree in all ${formatCount(check.batchRows)} rows.`
      : `**Batch and streaming metrics differ in ${formatCount(check.differingRows)} ${check.differingRows === 1 ? 'row' : 'rows'}**: see the alert.`,
    ...(soFar ? ['The day is not over: these are the figures so far.'] : []),
  ]
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
