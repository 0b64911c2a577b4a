import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { Postgres } from '../../postgres/client.ts'

/** A checksum of all rows of each subject, by table and subject. */
export type Checksums = Map<string, string>

/** Rows by subject; where a row came from in Kafka is no part of it. */
const CLICKHOUSE_ROWS: Record<string, string> = {
  events_raw:
    'SELECT hex(subject), count(), groupBitXor(cityHash64(* EXCEPT (partition, cut_end, cut))) FROM events_raw GROUP BY subject',
  sessions: `SELECT hex(subject), count(), groupBitXor(cityHash64(*)) FROM (
    SELECT app, day, subject, session, min(started), max(ended), sum(events), sum(pages), sum(revenue)
    FROM sessions GROUP BY app, day, subject, session) GROUP BY subject`,
}
const POSTGRES_ROWS: Record<string, string> = {
  subjects: `SELECT subject_id::text AS subject, md5(string_agg(s::text, '|' ORDER BY s::text)) AS sum FROM subjects s GROUP BY 1`,
  subject_links: `SELECT from_subject::text AS subject, md5(string_agg(l::text, '|' ORDER BY l::text)) AS sum FROM subject_links l GROUP BY 1`,
  users_pii: `SELECT subject_id::text AS subject, md5(string_agg(p::text, '|' ORDER BY p::text)) AS sum FROM users_pii p GROUP BY 1`,
  contacts: `SELECT subject_id::text AS subject, md5(string_agg(c::text, '|' ORDER BY c::text)) AS sum FROM contacts c GROUP BY 1`,
  users_public: `SELECT subject_id::text AS subject, md5(string_agg(p::text, '|' ORDER BY p::text)) AS sum FROM users_public p GROUP BY 1`,
}

/** @param erased tokens (upper-case hex) and subject ids of those who go: they are no bystanders */
export async function checksumBystanders(
  clickhouse: ClickHouseClient,
  postgres: Postgres,
  erased: ReadonlySet<string>,
): Promise<Checksums> {
  const sums: Checksums = new Map()
  for (const [table, query] of Object.entries(CLICKHOUSE_ROWS)) {
    const result = await clickhouse.query({ query, format: 'JSONCompactEachRow' })
    for await (const rows of result.stream()) {
      for (const row of rows) {
        const [subject, ...rest] = row.json() as [string, string, string]
        if (!erased.has(subject)) sums.set(`${table} ${subject}`, rest.join(' '))
      }
    }
  }
  for (const [table, query] of Object.entries(POSTGRES_ROWS)) {
    const rows = await postgres.query<{ subject: string; sum: string }>(`drill_sum_${table}`, query, [])
    for (const { subject, sum } of rows) if (!erased.has(subject)) sums.set(`${table} ${subject}`, sum)
  }
  return sums
}

/** @returns how many rows of bystanders are other ones, gone or new; some of them by name */
export function compareChecksums(
  before: Checksums,
  after: Checksums,
): { changed: number; examples: string[] } {
  const changed = [...before].filter(([key, sum]) => after.get(key) !== sum).map(([key]) => key)
  const added = [...after.keys()].filter((key) => !before.has(key))
  return { changed: changed.length + added.length, examples: [...changed, ...added].slice(0, 5) }
}
