import type { ClickHouseClient } from './client.ts'
import type { Day } from './daily-metric.ts'
import { checkBatch, REPEATABLE_INSERT } from './erase-tokens.ts'

export interface AppDay {
  app: string
  day: Day
}

/**
 * Notes which days of which apps the rows of the batch's people fall on. Must be called before anything is deleted; a repeat
 * after it adds nothing and takes nothing away. Cost: a look-up by the Bloom filter for few people, a scan of three columns for many.
 * @throws EbbError `batch_unknown`
 */
export async function keepAffectedDays(client: ClickHouseClient, batch: string): Promise<void> {
  await client.command({
    query: `INSERT INTO erase_days (batch, app, day)
            SELECT DISTINCT '${checkBatch(batch)}', app, toDate(ts) FROM events_raw
            WHERE subject IN (SELECT token FROM erase_tokens WHERE batch = '${batch}')
              AND (app, toDate(ts)) NOT IN (SELECT app, day FROM erase_days WHERE batch = '${batch}')`,
    clickhouse_settings: REPEATABLE_INSERT,
  })
}

/**
 * The days of all batches whose aggregates nobody has counted again yet. Not of one batch only: one whose recount was given up
 * is told by nobody else.
 */
export async function readAffectedDays(client: ClickHouseClient): Promise<(AppDay & { batch: string })[]> {
  const result = await client.query({
    query: 'SELECT DISTINCT batch, app, day FROM erase_days ORDER BY day, app',
    format: 'JSONEachRow',
  })
  return result.json<AppDay & { batch: string }>()
}
