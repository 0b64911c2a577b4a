import type { ClickHouseClient } from './client.ts'

/**
 * The highest cut end stored for each Kafka partition, so that ingest can refuse a group without offsets while rows
 * exist, and a restore knows where to rewind. Scans two narrow columns of the raw table: for a start, not for a loop.
 */
export async function readIngestPositions(client: ClickHouseClient): Promise<Map<number, bigint>> {
  const result = await client.query({
    query: `SELECT partition, max(cut_end) AS cutEnd FROM events_raw WHERE cut_end > 0 GROUP BY partition`,
    format: 'JSONEachRow',
    clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
  })
  const rows = await result.json<{ partition: number; cutEnd: string }>()
  return new Map(rows.map((row) => [Number(row.partition), BigInt(row.cutEnd)]))
}
