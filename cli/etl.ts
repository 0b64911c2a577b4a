import type { Command } from 'commander'
import { EbbError } from '../runtime/errors.ts'
import { addDays, dayOf, daysBetween, isDay } from '../schemas/day.ts'
import type { DailyEtlResult } from '../schemas/etl.ts'
import { readPlatformConfig } from '../services/platform-config.ts'
import { connectEtl, type EtlClient } from './run-etl.ts'

interface Options {
  date?: string
  from?: string
  to?: string
  wait: boolean
}

/** A year and a day: more at once is most likely a slip of the keyboard. */
const MAX_DAYS = 367

/** `ebb etl`: runs the daily ETL of a day, or of every day of a range, and prints what came out. */
export function define(command: Command): void {
  command
    .option('--date <day>', 'the day as YYYY-MM-DD, UTC (default: yesterday)')
    .option('--from <day>', 'first day of a backfill')
    .option('--to <day>', 'last day of a backfill, included (default: yesterday)')
    .option('--no-wait', 'start only, print the workflow ids and leave')
    .addHelpText(
      'after',
      '\nA day may be run again at any time: late events are picked up, nothing is counted twice. Today is counted and\ncompared, but not published: analysts see it live until a run after its end.',
    )
    .action(async (options: Options) => {
      const days = chooseDays(options, Date.now())
      const { config } = await readPlatformConfig()
      const etl = await connectEtl(config)
      try {
        if (!options.wait) for (const day of days) console.log(`${day}  started as ${await etl.start(day)}`)
        else if (!(await runDays(etl, days))) process.exitCode = 1
        console.log(`Temporal UI: ${config.temporal.uiUrl}`)
      } finally {
        await etl.close()
      }
    })
}

/** @throws EbbError `bad_arguments` */
export function chooseDays(options: Pick<Options, 'date' | 'from' | 'to'>, now: number): string[] {
  const yesterday = addDays(dayOf(now), -1)
  for (const [name, day] of Object.entries({ date: options.date, from: options.from, to: options.to })) {
    if (day !== undefined && !isDay(day)) throw new EbbError('bad_arguments', `--${name} must be YYYY-MM-DD`)
  }
  if (options.date !== undefined && (options.from ?? options.to) !== undefined) {
    throw new EbbError('bad_arguments', 'give --date, or --from and --to, not both')
  }
  if (options.to !== undefined && options.from === undefined) {
    throw new EbbError('bad_arguments', '--to needs --from')
  }
  const days =
    options.from === undefined
      ? [options.date ?? yesterday]
      : daysBetween(options.from, options.to ?? yesterday)
  if (days.length === 0) throw new EbbError('bad_arguments', '--to is before --from')
  if (days.length > MAX_DAYS) throw new EbbError('bad_arguments', `more than ${MAX_DAYS} days at once`)
  if (days.some((day) => day > dayOf(now))) throw new EbbError('bad_arguments', 'the day has not begun (UTC)')
  return days
}

/** @returns whether every day went through and none drifted. */
async function runDays(etl: EtlClient, days: string[]): Promise<boolean> {
  let good = true
  await etl.runAll(days, (day, outcome) => {
    if (outcome instanceof EbbError) console.error(`${day}  ${outcome.message}`)
    else console.log(describeResult(outcome))
    if (outcome instanceof EbbError || outcome.driftedCount > 0) good = false
  })
  return good
}

/** One line for a clean day; below it that it is not published, and the rows that differ. */
export function describeResult(result: DailyEtlResult): string {
  const { day, events, rows, driftedCount, drifted, published, reportPath } = result
  const verdict =
    driftedCount === 0
      ? 'batch equals stream'
      : `DRIFT: batch and stream differ in ${driftedCount === 1 ? '1 row' : `${driftedCount} rows`}`
  const head = `${day}  ${events.toLocaleString('en-GB')} events in ${rows} rows, ${verdict}; ${reportPath}`
  const notOver = published
    ? []
    : ['  not published: the day is not over (UTC), analysts keep seeing it live']
  const lines = drifted.map((row) => {
    const counts = `batch ${row.batch?.events ?? 'nothing'}, streaming ${row.streaming?.events ?? 'nothing'}`
    return `  ${row.app} ${row.event}${row.currency ? ` ${row.currency}` : ''}: ${counts} events`
  })
  return [head, ...notOver, ...lines].join('\n')
}
