import { Readable } from 'node:stream'
import { EbbError } from '../runtime/errors.ts'
import type { ClickHouseClient } from './client.ts'
import { INSERT_ONCE_SETTINGS } from './insert-events.ts'

export interface SeenBatch {
  /** Kafka partition and offset of the record. */
  partition: number
  offset: bigint
  /** The record's `batch` header, 16 bytes. */
  hash: Buffer
  /** When ingest saw it, milliseconds since 1970; rows live 48 hours from then. */
  at: number
}

/** RowBinary: UInt16, FixedString(16), UInt64, DateTime64(3). */
const ROW_BYTES = 2 + 16 + 8 + 8

/** Remembers batches, before their cut is acknowledged. `token` as in insert-events.ts: a repeat adds nothing. */
export async function insertSeenBatches(
  client: ClickHouseClient,
  batches: readonly SeenBatch[],
  token: string,
): Promise<void> {
  if (batches.length === 0) return
  const body = Buffer.allocUnsafe(batches.length * ROW_BYTES)
  for (const [index, batch] of batches.entries()) {
    const start = body.writeUInt16LE(batch.partition, index * ROW_BYTES)
    batch.hash.copy(body, start, 0, 16)
    body.writeBigUInt64LE(batch.offset, start + 16)
    body.writeBigInt64LE(BigInt(batch.at), start + 24)
  }
  const answer = await client.exec({
    query: 'INSERT INTO ingest_seen (partition, hash, offset, at) FORMAT RowBinary',
    values: Readable.from([body], { objectMode: false }),
    clickhouse_settings: { ...INSERT_ONCE_SETTINGS, insert_deduplication_token: token },
  })
  for await (const _ of answer.stream);
}

/**
 * The lowest offset at which each of these batches was seen in a partition, by hash in hex. A record is a client's
 * retry when that offset is lower than its own; at its own offset it is a replay of the same cut.
 * Cost: one granule of 1,024 rows a hash and part, so few hashes (a Bloom filter's hits) at a time.
 */
export async function findSeenBatches(
  client: ClickHouseClient,
  partition: number,
  hashes: readonly Buffer[],
): Promise<Map<string, bigint>> {
  if (hashes.length === 0) return new Map()
  const wanted = hashes.map((hash) => `unhex('${hash.toString('hex')}')`).join(', ')
  const result = await client.query({
    query: `SELECT lower(hex(hash)) AS batch, min(offset) AS first
            FROM ingest_seen WHERE partition = {partition:UInt16} AND hash IN (${wanted}) GROUP BY hash`,
    query_params: { partition },
    format: 'JSONEachRow',
    clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
  })
  const rows = await result.json<{ batch: string; first: string }>()
  return new Map(rows.map((row) => [row.batch, BigInt(row.first)]))
}

/**
 * Every batch seen in a partition since `sinceMs`, to warm a filter after a rebalance: in chunks, in no order, 32 bytes a
 * row on the way. Hashes are found by the day's partitions and the key's first column. Who stops early closes the stream.
 */
export async function* readSeenBatches(
  client: ClickHouseClient,
  partition: number,
  sinceMs: number,
): AsyncGenerator<SeenBatch[]> {
  const answer = await client.exec({
    query: `SELECT hash, offset, toUnixTimestamp64Milli(at) FROM ingest_seen
            WHERE partition = {partition:UInt16} AND at >= fromUnixTimestamp64Milli({since:Int64}) FORMAT RowBinary`,
    query_params: { partition, since: Math.trunc(sinceMs) },
  })
  yield* decodeSeen(partition, answer.stream)
}

/** RowBinary: FixedString(16), UInt64, Int64. A chunk may end within a row. */
const SEEN_BYTES = 16 + 8 + 8

export async function* decodeSeen(
  partition: number,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<SeenBatch[]> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const batches: SeenBatch[] = []
    let at = 0
    for (; at + SEEN_BYTES <= bytes.length; at += SEEN_BYTES)
      batches.push({
        partition,
        hash: Buffer.from(bytes.subarray(at, at + 16)),
        offset: bytes.readBigUInt64LE(at + 16),
        at: Number(bytes.readBigInt64LE(at + 24)),
      })
    rest = bytes.subarray(at)
    yield batches
  }
  // ClickHouse may end an answer that broke off with a message in place of rows.
  if (rest.length > 0) throw new EbbError('seen_cut_off', 'the list of batches broke off within a row')
}
