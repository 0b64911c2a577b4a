import type { Command } from 'commander'
import { EbbError } from '../runtime/errors.ts'
import { addDays, dayOf, isDay, isMonth } from '../schemas/day.ts'
import { readPlatformConfig } from '../services/platform-config.ts'
import { connectEtl } from './run-etl.ts'

interface Options {
  date?: string
  month?: string
}

/** `ebb report`: writes and prints the business report of a day, or with --month the trends of a month. */
export function define(command: Command): void {
  command
    .option('--date <day>', 'the day as YYYY-MM-DD, UTC (default: yesterday)')
    .option('--month <month>', 'instead of a day: the trends of this month, YYYY-MM')
    .addHelpText(
      'after',
      '\nThe report shows what the daily ETL counted: run `ebb etl` for the day before it.',
    )
    .action(async (options: Options) => {
      const { date, month } = options
      if (date !== undefined && month !== undefined)
        throw new EbbError('bad_arguments', 'give --date or --month, not both')
      if (date !== undefined && !isDay(date)) throw new EbbError('bad_arguments', '--date must be YYYY-MM-DD')
      if (month !== undefined && !isMonth(month))
        throw new EbbError('bad_arguments', '--month must be YYYY-MM')
      const { config } = await readPlatformConfig()
      const etl = await connectEtl(config)
      try {
        const report =
          month === undefined
            ? await etl.report(date ?? addDays(dayOf(Date.now()), -1))
            : await etl.trends(month)
        console.log(`${report.text}\nMarkdown: ${report.path}\nChart:    ${report.chartPath}`)
      } finally {
        await etl.close()
      }
    })
}
