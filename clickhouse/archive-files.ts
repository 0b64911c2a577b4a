import { Readable } from 'node:stream'
import { EbbError } from '../runtime/errors.ts'
import { ARCHIVE_BUCKETS, ARCHIVE_COLUMNS, ARCHIVE_STRUCTURE, archiveKey } from '../schemas/archive.ts'
import type { ClickHouseClient } from './client.ts'
import { checkDay, type Day } from './daily-metric.ts'
import { OF_DAYS } from './day-marts.ts'

/** Buckets written by one statement: each holds a file open, and its buffers. */
const BUCKETS_AT_ONCE = 16

const BUCKET = `toUInt8(reinterpretAsUInt8(substring(subject, 1, 1)) % ${ARCHIVE_BUCKETS})`

const SETTINGS = {
  s3_truncate_on_insert: 1,
  output_format_parquet_compression_method: 'zstd',
  // A row group is held in memory by each open file.
  output_format_parquet_row_group_size: '50000',
  output_format_parquet_parallel_encoding: 0,
  // day= and bucket= would come out as columns.
  use_hive_partitioning: 0,
  async_insert: 0,
} as const

/** `s3()` over one key, or a glob of keys, of a collection's bucket. */
export function archiveFiles(collection: string, key: string): string {
  return `s3(${collection}, filename = '${key}', format = 'Parquet', structure = '${ARCHIVE_STRUCTURE.replaceAll("'", "\\'")}')`
}

/**
 * Writes the day's rows, one file a bucket that has any, as new versions. Cost: a scan of the day for each sixteen buckets.
 * @param buckets that have rows, as `readRawDay` says
 */
export async function writeArchiveDay(
  client: ClickHouseClient,
  collection: string,
  day: Day,
  buckets: readonly number[],
): Promise<void> {
  checkDay(day)
  for (let from = 0; from < buckets.length; from += BUCKETS_AT_ONCE) {
    await client.command({
      query: `INSERT INTO FUNCTION ${archiveFiles(collection, archiveKey(day, '{_partition_id}'))}
        PARTITION BY leftPad(toString(${BUCKET}), 2, '0')
        SELECT ${ARCHIVE_COLUMNS} FROM events_raw
        WHERE ${OF_DAYS} AND ${BUCKET} IN {buckets:Array(UInt8)}
        ORDER BY subject, ts, event_id`,
      query_params: { from: day, to: day, buckets: buckets.slice(from, from + BUCKETS_AT_ONCE) },
      clickhouse_settings: SETTINGS,
    })
  }
}

/** Rows of the day in `events_raw`, and the buckets of the archive that they belong into. */
export async function readRawDay(
  client: ClickHouseClient,
  day: Day,
): Promise<{ rows: number; buckets: number[] }> {
  const [row] = await ask<{ rows: string; buckets: number[] }>(
    client,
    `SELECT count() AS rows, arraySort(groupUniqArray(${BUCKET})) AS buckets FROM events_raw WHERE ${OF_DAYS}`,
    { from: checkDay(day), to: day },
  )
  return { rows: Number(row?.rows ?? 0), buckets: row?.buckets ?? [] }
}

/** Rows of the files that a glob names. */
export async function countArchived(
  client: ClickHouseClient,
  collection: string,
  key: string,
): Promise<number> {
  const [row] = await ask<{ rows: string }>(
    client,
    `SELECT count() AS rows FROM ${archiveFiles(collection, key)}`,
    {},
  )
  return Number(row?.rows ?? 0)
}

export interface FileHit {
  /** Key within the bucket. */
  key: string
  rows: number
  /** Rows of the tokens asked for. */
  hits: number
}

/** Table of the tokens of a running erasure. In memory: no disk, no log and no statement keeps them. */
const HELPER = 'archive_erasure'
/** A server that was started anew has lost the tokens, and nothing would be found: fail instead. */
const EXPECT_HELPER = `throwIf((SELECT count() FROM ${HELPER}) != {tokens:UInt64}, 'tokens are gone') = 0`

/** Runs `work` while the tokens (16 bytes each) stand in the helper table. One run at a time: the archive's lock. */
export async function withTokens<T>(
  client: ClickHouseClient,
  tokens: Buffer[],
  work: () => Promise<T>,
): Promise<T> {
  await client.command({
    query: `CREATE OR REPLACE TABLE ${HELPER} (subject FixedString(16)) ENGINE = Memory`,
  })
  try {
    const answer = await client.exec({
      query: `INSERT INTO ${HELPER} FORMAT RowBinary`,
      values: Readable.from([Buffer.concat(tokens)], { objectMode: false }),
      clickhouse_settings: { async_insert: 0 },
    })
    for await (const _ of answer.stream);
    return await work()
  } finally {
    await client.command({ query: `DROP TABLE IF EXISTS ${HELPER}` }).catch(() => {})
  }
}

/** Files below a glob that hold rows of the tokens. Reads one column of each file. */
export async function findTokenFiles(
  client: ClickHouseClient,
  collection: string,
  key: string,
  tokens: number,
): Promise<FileHit[]> {
  const rows = await ask<{ path: string; rows: string; hits: string }>(
    client,
    `SELECT _path AS path, count() AS rows, countIf(subject IN (SELECT subject FROM ${HELPER})) AS hits
     FROM ${archiveFiles(collection, key)} WHERE ${EXPECT_HELPER} GROUP BY path HAVING hits > 0 ORDER BY path`,
    { tokens },
  )
  return rows.map((row) => {
    const at = row.path.indexOf('day=')
    if (at < 0) throw new EbbError('archive_unreadable', 'a file of the archive has another name')
    return { key: row.path.slice(at), rows: Number(row.rows), hits: Number(row.hits) }
  })
}

/** Writes a file anew without the tokens' rows: a new version, whole or not at all. */
export async function rewriteFile(
  client: ClickHouseClient,
  collection: string,
  key: string,
  tokens: number,
): Promise<void> {
  const file = archiveFiles(collection, key)
  await client.command({
    query: `INSERT INTO FUNCTION ${file} SELECT * FROM ${file}
      WHERE ${EXPECT_HELPER} AND subject NOT IN (SELECT subject FROM ${HELPER}) ORDER BY subject, ts, event_id`,
    query_params: { tokens },
    clickhouse_settings: SETTINGS,
  })
}

async function ask<Row>(
  client: ClickHouseClient,
  query: string,
  query_params: Record<string, unknown>,
): Promise<Row[]> {
  const result = await client.query({
    query,
    query_params,
    format: 'JSONEachRow',
    clickhouse_settings: { use_hive_partitioning: 0 },
  })
  return result.json<Row>()
}
