import type { Command } from 'commander'
import { EbbError } from '../runtime/errors.ts'
import { addDays, dayOf, isDay, isMonth, monthOf } from '../schemas/day.ts'
import { readPlatformConfig } from '../services/platform-config.ts'
import { defineGdpr } from './gdpr-report.ts'
import { connectEtl } from './run-etl.ts'

interface Options {
  date?: string
  month?: string
}

/**
 * `ebb report`: writes and prints the business report of a day, or with --month the trends of a month; `ebb report gdpr`:
 * the requests of people.
 */
export function define(command: Command): void {
  // What stands behind `gdpr` is its own, though `--month` is a word of both.
  command.enablePositionalOptions()
  defineGdpr(command)
  command
    .option('--date <day>', 'the day as YYYY-MM-DD, UTC (default: yesterday)')
    .option('--month <month>', 'instead of a day: the trends of this month, YYYY-MM')
    .addHelpText(
      'after',
      '\nThe report shows what the daily ETL counted: run `ebb etl` for the day before it.',
    )
    .action(async (options: Options) => {
      const chosen = chooseReport(options, Date.now())
      const { config } = await readPlatformConfig()
      const etl = await connectEtl(config)
      try {
        const report = 'day' in chosen ? await etl.report(chosen.day) : await etl.trends(chosen.month)
        console.log(`${report.text}\nMarkdown: ${report.path}\nChart:    ${report.chartPath}`)
      } finally {
        await etl.close()
      }
    })
}

/**
 * What the options ask for: a day, yesterday unless told, or a month. Those that still run are reported so far.
 * @param now milliseconds since 1970
 * @throws EbbError `bad_arguments`
 */
export function chooseReport(options: Options, now: number): { day: string } | { month: string } {
  const { date, month } = options
  const today = dayOf(now)
  if (date !== undefined && month !== undefined)
    throw new EbbError('bad_arguments', 'give --date or --month, not both')
  if (month !== undefined) {
    if (!isMonth(month)) throw new EbbError('bad_arguments', '--month must be YYYY-MM')
    if (month > monthOf(today)) throw new EbbError('bad_arguments', 'the month has not begun (UTC)')
    return { month }
  }
  if (date !== undefined && !isDay(date)) throw new EbbError('bad_arguments', '--date must be YYYY-MM-DD')
  if (date !== undefined && date > today) throw new EbbError('bad_arguments', 'the day has not begun (UTC)')
  return { day: date ?? addDays(today, -1) }
}
