import type { DailyMetric } from '../clickhouse/daily-metric.ts'
import type { BusinessDay } from '../clickhouse/read-business-day.ts'
import type { RejectedCounts } from '../kafka/read-rejections.ts'
import { sumPastDays, sumRevenue } from './business-figures.ts'
import { businessSections, type Standing } from './business-sections.ts'
import { drawBusinessChart } from './draw-business-chart.ts'
import { formatColumns, formatCount, formatMoney, formatTable } from './format-figures.ts'
import { FEW, K } from './guard-small-groups.ts'
import type { Section } from './report-section.ts'
import type { RenderedReport } from './write-report.ts'

export interface BusinessReportInput {
  day: string
  /** Whether the day was still running. */
  soFar: boolean
  today: BusinessDay
  /** Batch metrics of the fortnight before. */
  history: DailyMetric[]
  rejected: RejectedCounts
  /** Of the batch metrics with the streaming ones; no row of the batch says that the day was not recounted. */
  check: { batchRows: number; differingRows: number }
}

/** The day as Markdown, chart and terminal text. Groups of fewer than K people are in none of them. Pure. */
export function renderBusinessReport(input: BusinessReportInput): RenderedReport {
  const { day, today } = input
  const name = `business_report_${day}`
  const past = sumPastDays(input.history)
  const standing = standingOf(input)
  const sections = businessSections(input, past, standing)
  const opening = openingOf(input, standing)
  return {
    name,
    markdown: toMarkdown(input, name, opening, sections),
    svg: drawBusinessChart(day, today, past),
    text: toText(input, opening, sections),
  }
}

function standingOf({ soFar, today, check }: BusinessReportInput): Standing {
  const happened = today.apps.length > 0 || today.leftOut.rows > 0
  if (check.batchRows > 0) return { recount: 'done', soFar }
  // Without events and rows on both sides there is nothing to recount; rows of the stream alone are a difference.
  return { recount: happened ? 'missing' : check.differingRows === 0 ? 'empty' : 'done', soFar }
}

function openingOf(input: BusinessReportInput, { recount, soFar }: Standing): string[] {
  const { today } = input
  const { rows } = today.leftOut
  return [
    countedOf(today, soFar),
    ...(rows > 0
      ? [
          `${rows === 1 ? '1 kind of event' : `${rows} kinds of event`} with ${FEW} people left out of all figures.`,
        ]
      : []),
    ...(recount === 'empty' ? [] : [checkOf(input, recount)]),
    ...(soFar ? ['The day is not over: these are the figures so far.'] : []),
  ]
}

function countedOf(today: BusinessDay, soFar: boolean): string {
  if (today.apps.length === 0) {
    if (today.leftOut.rows > 0) return 'Too few people for any figure.'
    return soFar ? 'No events so far.' : 'No events that day.'
  }
  const total = (key: 'events' | 'users') => today.apps.reduce((sum, app) => sum + app[key], 0)
  const money = sumRevenue(today).map((row) => formatMoney(row.revenue, row.currency))
  const counted = `${formatCount(total('events'))} events of ${formatCount(total('users'))} people`
  return `${counted}${money.length > 0 ? `; revenue ${money.join(' and ')}` : ''}.`
}

function checkOf({ day, soFar, check }: BusinessReportInput, recount: Standing['recount']): string {
  const { batchRows, differingRows } = check
  const again = `\`ebb etl --date ${day}\``
  if (recount === 'missing') return `Not recounted yet: run ${again}.`
  if (differingRows === 0) return `Batch and streaming metrics agree in all ${formatCount(batchRows)} rows.`
  // Streaming metrics go on with the day; only a whole day's can be held against the batch.
  if (soFar) return `Events have come in since the day was last recounted: run ${again}.`
  return `**Batch and streaming metrics differ in ${formatCount(differingRows)} ${differingRows === 1 ? 'row' : 'rows'}**: see the alert, or if events came late, run ${again} again.`
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
    `---\nDays are UTC. People are distinct within an app. Averages are over those of the seven days before that have figures. No figure is shown about fewer than ${K} people: “${FEW}” stands for what so few people of an app did.`,
  )
  return `${parts.join('\n\n')}\n`
}

function toText(input: BusinessReportInput, opening: string[], sections: Section[]): string {
  const title = `Business report ${input.day}`
  const parts = [`${title}\n${'='.repeat(title.length)}`, opening.join('\n').replaceAll('**', '')]
  for (const section of sections) {
    const table = formatColumns([section.head, ...section.rows], section.textColumns)
    const notes = [section.note, section.hidden > 0 ? hiddenNote(section.hidden) : undefined]
    const below = notes.filter((note) => note !== undefined).map((note) => `\n(${note})`)
    parts.push(`${section.title}\n${table}${below.join('')}`)
  }
  return `${parts.join('\n\n')}\n`
}
