import { aggregateDay } from '../clickhouse/aggregate-day.ts'
import type { ClickHouseClient } from '../clickhouse/client.ts'
import type { EtlActivities } from '../schemas/etl.ts'
import { beatWhile } from './beat-while.ts'
import { partWays } from './part-ways.ts'

/** Counts the day from raw into staging. Repeating it replaces what an earlier attempt left there. */
export function createAggregateDay(clickhouse: ClickHouseClient): EtlActivities['aggregateDay'] {
  return async ({ day }) => {
    const { rows, events, staged } = await beatWhile(() => partWays(() => aggregateDay(clickhouse, day)))
    return { rows, events, staged }
  }
}
