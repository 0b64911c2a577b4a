import type { ClickHouseClient } from './client.ts'
import { SUBJECT_TABLES } from './subject-tables.ts'

/** Rows of one subject by table; a table without any is left out. */
export type SubjectRows = Record<string, number>

/**
 * Rows of one subject (token, 16 bytes) in every table of the data map that has rows of people's own. The Bloom filter on
 * `events_raw.subject` keeps it to few granules: the count must never scan, it is asked for every erased person. `sessions`
 * has a twentieth of the rows and is read by one column.
 */
export async function countSubjectRows(client: ClickHouseClient, subject: Buffer): Promise<SubjectRows> {
  const counts = SUBJECT_TABLES.map(
    (table) =>
      `SELECT '${table}' AS held, count() AS rows FROM ${table} WHERE subject = unhex({subject:String})`,
  )
  const result = await client.query({
    query: `SELECT held, rows FROM (${counts.join(' UNION ALL ')}) WHERE rows > 0`,
    query_params: { subject: subject.toString('hex') },
    format: 'JSONEachRow',
  })
  const rows = await result.json<{ held: string; rows: number | string }>()
  return Object.fromEntries(rows.map(({ held, rows: count }) => [held, Number(count)]))
}
