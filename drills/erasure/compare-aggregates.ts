import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { DAY_MARTS } from '../../clickhouse/day-marts.ts'
import { findUnequalViews } from '../count-survivors.ts'

/**
 * Holds every aggregate to a recount from raw: the views' targets, and the batch tables of the days that were counted.
 * @returns rows that differ, by table; empty when all are equal
 */
export async function findUnequalAggregates(
  client: ClickHouseClient,
  days: readonly string[],
): Promise<Record<string, number>> {
  const unequal = await findUnequalViews(client)
  for (const day of days) {
    for (const mart of DAY_MARTS) {
      const columns = mart.table === 'metrics_batch_daily' ? '* EXCEPT (users_state, sessions_state)' : '*'
      const held = `SELECT ${columns} FROM ${mart.table} WHERE day = {from:Date}`
      const raw = `SELECT ${columns} FROM (${mart.select})`
      const count = async (query: string) => {
        const result = await client.query({
          query,
          query_params: { from: day, to: day },
          format: 'JSONCompactEachRow',
        })
        const [[rows]] = (await result.json()) as [[string]]
        return Number(rows)
      }
      // By position: the recount's columns have names of their own.
      const differing = await count(
        `SELECT count() FROM ((${held} EXCEPT ${raw}) UNION ALL (${raw} EXCEPT ${held}))`,
      )
      if (differing > 0) unequal[`${mart.table} ${day}`] = differing
    }
  }
  return unequal
}
