import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { epochRange, jointPartition, laneOf, unpackOffset } from './cut-position.ts'

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
 * The highest cut end of this epoch in `events_raw`, by the partition's own cuts and by its lane's joint ones, which say how
 * far each partition was. Reads a column or two of the whole table, which compress to little: asked only when offsets and
 * tables disagree.
 */
export async function readCutEnd(
  clickhouse: ClickHouseClient,
  partition: number,
  epoch: string,
): Promise<number | undefined> {
  const ends = await Promise.all([
    readHighest(
      clickhouse,
      `SELECT toString(max(cut_end)) AS highest, count() AS rows FROM events_raw
       WHERE partition = {partition:UInt16} AND cut_end BETWEEN {from:UInt64} AND {to:UInt64}`,
      partition,
      epoch,
    ),
    readHighest(
      clickhouse,
      `SELECT toString(max(toUInt64(end))) AS highest, count() AS rows
       FROM (SELECT DISTINCT extract(cut, {end:String}) AS end FROM events_raw
             WHERE partition = {joint:UInt16} AND cut_end BETWEEN {from:UInt64} AND {to:UInt64})
       WHERE end != ''`,
      partition,
      epoch,
    ),
  ])
  const known = ends.filter((end) => end !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
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
    query_params: {
      partition,
      joint: jointPartition(laneOf(partition)),
      end: `(?:^|,)${partition}:([0-9]+)`,
      from: String(from),
      to: String(to),
    },
    format: 'JSONEachRow',
  })
  const [row] = await answer.json<{ highest: string; rows: string | number }>()
  return row === undefined || Number(row.rows) === 0 ? undefined : unpackOffset(BigInt(row.highest))
}
