import type { ClickHouseClient } from '../clickhouse/client.ts'
import { swapDay } from '../clickhouse/swap-day.ts'
import type { EtlActivities } from '../schemas/etl.ts'
import { beatWhile } from './beat-while.ts'
import { partWays } from './part-ways.ts'

/** Serves the staged day: readers see the old rows or the new ones, never a mixture. */
export function createSwapDay(clickhouse: ClickHouseClient): EtlActivities['swapDay'] {
  return ({ day, staged }) => beatWhile(() => partWays(() => swapDay(clickhouse, day, staged)))
}
