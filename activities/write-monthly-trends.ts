import type { ClickHouseClient } from '../clickhouse/client.ts'
import { readDailyMetrics } from '../clickhouse/read-daily-metrics.ts'
import { readTrends } from '../clickhouse/read-trends.ts'
import { addDays, addMonths, dayOf, monthOf } from '../schemas/day.ts'
import type { EtlActivities } from '../schemas/etl.ts'
import { beatWhile } from './beat-while.ts'
import { renderMonthlyTrends } from './render-monthly-trends.ts'
import { writeReport } from './write-report.ts'

const HISTORY_MONTHS = 13

/** Reads a year and a month of trends and the month's days, renders them, guarded by k, and writes the report. */
export function createWriteMonthlyTrends(deps: {
  clickhouse: ClickHouseClient
  reportsFolder: string
  now(): number
}): EtlActivities['writeMonthlyTrends'] {
  return ({ month }) =>
    beatWhile(async () => {
      const [trends, days] = await Promise.all([
        readTrends(deps.clickhouse, { from: addMonths(month, 1 - HISTORY_MONTHS), to: month }),
        readDailyMetrics(deps.clickhouse, {
          from: `${month}-01`,
          to: addDays(`${addMonths(month, 1)}-01`, -1),
          source: 'batch',
        }),
      ])
      const soFar = month === monthOf(dayOf(deps.now()))
      return writeReport(deps.reportsFolder, month, renderMonthlyTrends({ month, soFar, trends, days }))
    })
}
