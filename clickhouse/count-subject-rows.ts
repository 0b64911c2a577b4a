import type { ClickHouseClient } from './client.ts'

/**
 * Rows of `events_raw` of one subject (token, 16 bytes). The bloom filter on `subject` keeps it to few granules: the count
 * must never scan, a verifier asks it for every erased person.
 */
export async function countSubjectRows(client: ClickHouseClient, subject: Buffer): Promise<number> {
  const result = await client.query({
    query: `SELECT count() AS rows FROM events_raw WHERE subject = unhex({subject:String})`,
    query_params: { subject: subject.toString('hex') },
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ rows: number | string }>()
  return Number(row?.rows ?? 0)
}
