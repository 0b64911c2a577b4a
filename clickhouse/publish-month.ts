import type { ClickHouseClient } from './client.ts'
import { checkDay, type Day } from './daily-metric.ts'
import { K_PEOPLE } from './day-marts.ts'

/**
 * SELECT of a range of whole months ({from:Date} to {to:Date}) in the shape of `trends_monthly`.
 *
 * A month is the published days: one that is not over is counted, but not published. Days hidden for their few people come in only when the month has long been swapped,
 * all at once, and only if together they are of K people or more: month less shown days is then nothing, or a group that may be
 * seen, and no single hidden day can be had by looking before and after its swap.
 */
export const MONTH_SELECT = `
  SELECT app, month, event, currency, sum(part_events), uniqMerge(part_users), uniqIfMerge(part_sessions), sum(part_revenue),
    now64(9)
  FROM (
    SELECT app, toStartOfMonth(day) AS month, event, currency, users >= ${K_PEOPLE} AS shown, sum(events) AS part_events,
      uniqMergeState(users_state) AS part_users, uniqIfMergeState(sessions_state) AS part_sessions, sum(revenue) AS part_revenue
    FROM metrics_batch_daily
    WHERE day BETWEEN {from:Date} AND {to:Date} AND day IN (SELECT day FROM published_days)
    GROUP BY app, month, event, currency, shown
    HAVING shown OR (uniqMerge(users_state) >= ${K_PEOPLE} AND toDate(now('UTC')) >= addMonths(month, 1) + 2)
  )
  GROUP BY app, month, event, currency`

/**
 * Writes the month of a day anew into `trends_monthly`, and a row without people, so that a month that has nothing left to show
 * gets its new version too. Idempotent for readers; to be called after the day's swap. Cost: the
 * states of 31 days. @throws EbbError `bad_day`
 */
export async function publishMonth(client: ClickHouseClient, day: Day): Promise<void> {
  const from = `${checkDay(day).slice(0, 7)}-01`
  await client.command({
    query: `INSERT INTO trends_monthly
            SELECT * FROM (${MONTH_SELECT.replace('{to:Date}', 'toLastDayOfMonth({from:Date})')})
            UNION ALL SELECT '', {from:Date}, '', '', 0, 0, 0, 0, now64(9)`,
    query_params: { from },
    clickhouse_settings: { async_insert: 0, insert_deduplicate: 0, deduplicate_insert: 'disable' },
  })
}
