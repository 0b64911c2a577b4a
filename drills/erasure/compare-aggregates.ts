import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { DAY_MARTS, OF_DAYS } from '../../clickhouse/day-marts.ts'
import { findUnequalViews } from '../count-survivors.ts'

/** States cannot be compared; the numbers beside them can. A sum of fractions depends on their order in its last digits. */
const COMPARED: Record<string, string> = {
  metrics_batch_daily: 'app, day, event, currency, events, users, sessions, revenue',
  sessions_batch_daily: '* REPLACE (round(seconds, 3) AS seconds)',
}
const RECOUNTS: Record<string, string> = {
  metrics_batch_daily: `SELECT app, toDate(ts) AS day, event, currency, count(), uniq(subject), uniqIf(session, session != 0),
    sum(toDecimal128(revenue, 4)) FROM events_raw WHERE ${OF_DAYS} GROUP BY app, day, event, currency`,
  sessions_batch_daily: `SELECT * REPLACE (round(\`sum(seconds)\`, 3) AS \`sum(seconds)\`)
    FROM (${DAY_MARTS.find(({ table }) => table === 'sessions_batch_daily')!.select})`,
}

/**
 * Holds every aggregate to a recount from raw: the views' targets, and the batch tables and their staging of the days that were counted.
 * @returns rows that differ, by table; empty when all are equal
 */
export async function findUnequalAggregates(
  client: ClickHouseClient,
  days: readonly string[],
): Promise<Record<string, number>> {
  const unequal = await findUnequalViews(client)
  for (const day of days) {
    for (const [mart, table] of DAY_MARTS.flatMap((one) => [
      [one, one.table] as const,
      [one, one.staging] as const,
    ])) {
      const held = `SELECT ${COMPARED[mart.table] ?? '*'} FROM ${table} WHERE day = {from:Date}`
      const raw = RECOUNTS[mart.table] ?? mart.select
      const count = async (query: string) => {
        const result = await client.query({
          query,
          query_params: { from: day, to: day },
          format: 'JSONCompactEachRow',
        })
        const [[rows]] = (await result.json()) as [[string]]
        return Number(rows)
      }
      // Staging is emptied by an erasure; what it holds of a day may be no other than what is there.
      if (
        table === mart.staging &&
        (await count(`SELECT count() FROM ${table} WHERE day = {from:Date}`)) === 0
      )
        continue
      // By position: the recount's columns have names of their own.
      const differing = await count(
        `SELECT count() FROM ((${held} EXCEPT ${raw}) UNION ALL (${raw} EXCEPT ${held}))`,
      )
      if (differing > 0) unequal[`${table} ${day}`] = differing
    }
  }
  return unequal
}
