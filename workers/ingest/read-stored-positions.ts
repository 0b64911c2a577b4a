import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { epochRange, unpackOffset } from './cut-position.ts'

/** One more than the highest offset of this epoch in `ingest_seen`: how far this ClickHouse has come in 48 hours. */
export async function readSeenEnd(
  clickhouse: ClickHouseClient,
  partition: number,
  epoch: string,
): Promise<number | undefined> {
  const last = await readHighest(
    clickhouse,
    `SELECT toString(max(offset)) AS highest, count() AS rows FROM ingest_seen
     WHERE partition = {partition:UInt16} AND offset BETWEEN {from:UInt64} AND {to:UInt64}`,
    partition,
    epoch,
  )
  return last === undefined ? undefined : last + 1
}

/**
 * The highest cut end of this epoch in `events_raw`. Reads one column of the whole table, which compresses to little:
 * asked only when offsets and tables disagree.
 */
export function readCutEnd(
  clickhouse: ClickHouseClient,
  partition: number,
  epoch: string,
): Promise<number | undefined> {
  return readHighest(
    clickhouse,
    `SELECT toString(max(cut_end)) AS highest, count() AS rows FROM events_raw
     WHERE partition = {partition:UInt16} AND cut_end BETWEEN {from:UInt64} AND {to:UInt64}`,
    partition,
    epoch,
  )
}

async function readHighest(
  clickhouse: ClickHouseClient,
  query: string,
  partition: number,
  epoch: string,
): Promise<number | undefined> {
  const { from, to } = epochRange(epoch)
  const answer = await clickhouse.query({
    query,
    query_params: { partition, from: String(from), to: String(to) },
    format: 'JSONEachRow',
  })
  const [row] = await answer.json<{ highest: string; rows: string | number }>()
  return row === undefined || Number(row.rows) === 0 ? undefined : unpackOffset(BigInt(row.highest))
}
