import type { ClickHouseClient } from '../clickhouse/client.ts'
import { compareDay } from '../clickhouse/compare-day.ts'
import { readBusinessDay } from '../clickhouse/read-business-day.ts'
import { readDailyMetrics } from '../clickhouse/read-daily-metrics.ts'
import type { RejectedCounts } from '../kafka/read-rejections.ts'
import { addDays, startOfDay } from '../schemas/day.ts'
import type { EtlActivities } from '../schemas/etl.ts'
import { beatWhile } from './beat-while.ts'
import { K } from './guard-small-groups.ts'
import { renderBusinessReport } from './render-business-report.ts'
import { writeReport } from './write-report.ts'

export const HISTORY_DAYS = 14

/** Reads the day, its past fortnight and what the gate refused, renders the report, guarded by k, and writes it. */
export function createWriteBusinessReport(deps: {
  clickhouse: ClickHouseClient
  readRejections(from: number, to: number): Promise<RejectedCounts>
  reportsFolder: string
  now(): number
}): EtlActivities['writeBusinessReport'] {
  return ({ day }) =>
    beatWhile(async () => {
      const end = startOfDay(addDays(day, 1))
      const [today, history, comparison, rejected] = await Promise.all([
        readBusinessDay(deps.clickhouse, day, K),
        readDailyMetrics(deps.clickhouse, {
          from: addDays(day, 1 - HISTORY_DAYS),
          to: addDays(day, -1),
          source: 'batch',
        }),
        compareDay(deps.clickhouse, day, 0),
        deps.readRejections(startOfDay(day), end),
      ])
      const { batchRows, differingRows } = comparison
      const report = renderBusinessReport({
        day,
        soFar: deps.now() < end,
        today,
        history,
        rejected,
        check: { batchRows, differingRows },
      })
      return writeReport(deps.reportsFolder, day, report)
    })
}
