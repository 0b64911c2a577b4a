import type { Command } from 'commander'
import { formatCount } from '../activities/format-figures.ts'
import { writeText } from '../activities/write-report.ts'
import { audited, cliActor } from '../gateway/officer-actions.ts'
import { createAuditLog } from '../postgres/audit-log.ts'
import { createPostgres } from '../postgres/client.ts'
import { readGdprMonth } from '../postgres/read-gdpr-month.ts'
import { EbbError } from '../runtime/errors.ts'
import { dayOf, isMonth, monthOf } from '../schemas/day.ts'
import type { GdprMonth } from '../schemas/privacy-api.ts'
import { readPlatformConfig } from '../services/platform-config.ts'

interface Options {
  month?: string
  json?: true
}

const PATIENCE_MS = 30_000

/** `ebb report gdpr`: requests of people in a month, for the auditor. */
export function defineGdpr(command: Command): void {
  command
    .command('gdpr')
    .description('requests of people in a month: states, processing times, certificates, refusals')
    .option('--month <month>', 'YYYY-MM, UTC (default: this month so far)')
    .option('--json', 'print JSON, as the gateway gives it')
    .action(async (options: Options) => {
      const now = Date.now()
      const month = chooseMonth(options.month, now)
      const { config } = await readPlatformConfig()
      const postgres = createPostgres(config.postgres.url, { connections: 4, timeoutMs: PATIENCE_MS })
      try {
        const report = await audited(
          createAuditLog(postgres),
          { actor: cliActor(), action: 'report gdpr', object: month },
          () => readGdprMonth(postgres, { month, apps: null, now: new Date(now) }),
        )
        const path = await writeText(
          config.reportsFolder,
          `gdpr_report_${month}.md`,
          renderGdprMarkdown(report, now),
        )
        console.log(options.json ? JSON.stringify(report) : `${renderGdprText(report)}\n\nMarkdown: ${path}`)
      } finally {
        await postgres.close()
      }
    })
}

/** @throws EbbError `bad_arguments` */
export function chooseMonth(month: string | undefined, now: number): string {
  const current = monthOf(dayOf(now))
  if (month === undefined) return current
  if (!isMonth(month)) throw new EbbError('bad_arguments', '--month must be YYYY-MM')
  if (month > current) throw new EbbError('bad_arguments', 'the month has not begun (UTC)')
  return month
}

/** Name and value of each figure, in the order of the report. */
export function gdprFigures(report: GdprMonth): [name: string, value: string][] {
  return [
    ['Requests received', formatCount(report.received)],
    ['Processed', formatCount(report.processed)],
    ['Pending', formatCount(report.pending)],
    ['Of them partly certified', formatCount(report.partial)],
    ['Past their deadline', formatCount(report.overdue)],
    ['Carried over from before', formatCount(report.carriedOver)],
    ['Average processing time', formatDuration(report.averageProcessingMs)],
    ['Worst processing time', formatDuration(report.worstProcessingMs)],
    ['Subjects erased', formatCount(report.erasedSubjects)],
    ['Certificates issued', formatCount(report.certificates.length)],
    ['Partial ones among them', formatCount(report.certificates.filter(isPartial).length)],
    ['Requests refused', formatCount(report.refusals.reduce((sum, { requests }) => sum + requests, 0))],
  ]
}

function isPartial({ kind }: { kind: string }): boolean {
  return kind === 'partial'
}

export function renderGdprText(report: GdprMonth): string {
  const lines = gdprFigures(report).map(([name, value]) => `  ${name.padEnd(26)} ${value}`)
  const states = report.states.map(
    ({ kind, state, requests }) => `  ${`${kind}, ${state}`.padEnd(26)} ${formatCount(requests)}`,
  )
  const refusals = report.refusals.map(
    ({ article, requests }) => `  ${article.padEnd(26)} ${formatCount(requests)}`,
  )
  const certificates = report.certificates.map(
    (one) =>
      `  log ${String(one.logIndex).padEnd(6)} ${one.kind.padEnd(12)} ${one.issuedAt.slice(0, 19)}Z  request ${one.requestId}${one.superseded ? '  (withdrawn)' : ''}`,
  )
  return [
    `Requests of people, ${report.month} (UTC)`,
    ...lines,
    ...section('By kind and state', states),
    ...section('Refusals by article', refusals),
    ...section('Certificates', certificates),
  ].join('\n')
}

function section(title: string, rows: string[]): string[] {
  return rows.length === 0 ? [] : [title, ...rows]
}

/** @param now when it was made, milliseconds since 1970 */
export function renderGdprMarkdown(report: GdprMonth, now: number): string {
  const blocks = [
    `# Requests of people, ${report.month}`,
    `Made ${new Date(now).toISOString().slice(0, 19)}Z. Months are UTC; a request counts in the month in which it came, a certificate and a refusal in the month in which they were issued. Times run from the request to its first certificate or its refusal.`,
    table(['figure', 'value'], gdprFigures(report)),
    '## By kind and state',
    table(
      ['kind', 'state', 'requests'],
      report.states.map(({ kind, state, requests }) => [kind, state, formatCount(requests)]),
    ),
    '## Refusals',
    table(
      ['article', 'requests'],
      report.refusals.map(({ article, requests }) => [article, formatCount(requests)]),
    ),
    '## Certificates',
    table(
      ['log index', 'kind', 'issued', 'request', 'SHA-256', 'withdrawn'],
      report.certificates.map((one) => [
        String(one.logIndex),
        one.kind,
        one.issuedAt,
        one.requestId,
        one.digest,
        one.superseded ? 'yes' : 'no',
      ]),
    ),
  ]
  return `${blocks.join('\n\n')}\n`
}

function table(head: string[], rows: string[][]): string {
  if (rows.length === 0) return 'None.'
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** `1 d 2 h`, `3 min 5 s`, `850 ms`: the two largest units. */
export function formatDuration(ms: number | null): string {
  if (ms === null) return '–'
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const units: [number, string][] = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
    [1, 's'],
  ]
  let left = Math.round(ms / 1_000)
  const parts: string[] = []
  for (const [size, name] of units) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0) parts.push(`${count} ${name}`)
  }
  return parts.slice(0, 2).join(' ')
}
