import type { ClickHouseClient } from '../clickhouse/client.ts'
import { compareDay } from '../clickhouse/compare-day.ts'
import { type EtlActivities, MAX_DRIFTED_ROWS } from '../schemas/etl.ts'
import { beatWhile } from './beat-while.ts'

/** Batch against streaming, row by row. Rows are keyed by app, event and currency, none of which names a person. */
export function createCompareDay(clickhouse: ClickHouseClient): EtlActivities['compareDay'] {
  return async ({ day }) => {
    const comparison = await beatWhile(() => compareDay(clickhouse, day, MAX_DRIFTED_ROWS))
    const missingInBatch = comparison.differences.filter((difference) => difference.batch === null).length
    return {
      // Rows on either side, less those that differ; rows that only streaming has are not among batch's.
      equal: comparison.batchRows + missingInBatch - comparison.differingRows,
      driftedCount: comparison.differingRows,
      drifted: comparison.differences.map(({ app, event, currency, batch, stream }) => ({
        app,
        event,
        currency,
        batch,
        streaming: stream,
      })),
    }
  }
}
