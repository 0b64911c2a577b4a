import type { StagedRows } from '../schemas/etl.ts'
import type { ClickHouseClient } from './client.ts'
import { type Day, METRIC_SETTINGS } from './daily-metric.ts'
import type { DayMart } from './day-marts.ts'

export interface DayContents extends StagedRows {
  /** Rows too many: a key that is there twice. */
  doubled: number
  /** Events that the rows speak of, as `DayMart.count.staged` counts them. */
  counted: number
}

/** What a mart's table, or its staging twin, holds of a day. The checksum is over all figures, in no order. */
export async function readDayContents(
  client: ClickHouseClient,
  mart: DayMart,
  table: string,
  day: Day,
): Promise<DayContents> {
  const result = await client.query({
    query: `SELECT count() AS rows, toString(sum(cityHash64(${mart.shown.columns}))) AS checksum,
              count() - uniqExact(${mart.key}) AS doubled, ${mart.count.staged} AS counted
            FROM ${table} WHERE day = {day:Date}`,
    query_params: { day },
    format: 'JSONEachRow',
    clickhouse_settings: METRIC_SETTINGS,
  })
  const [contents] = await result.json<DayContents>()
  return contents ?? { rows: 0, checksum: '0', doubled: 0, counted: 0 }
}
