import type { ClickHouseClient } from './client.ts'

export interface SeenBatch {
  /** Kafka partition and offset of the record. */
  partition: number
  offset: bigint
  /** The record's `batch` header, 16 bytes. */
  hash: Buffer
  /** When ingest saw it, milliseconds since 1970; rows live 48 hours from then. */
  at: number
}

/** Remembers batches, before their cut is acknowledged. `token` as in insert-events.ts: a repeat adds nothing. */
export async function insertSeenBatches(
  _client: ClickHouseClient,
  _batches: readonly SeenBatch[],
  _token: string,
): Promise<void> {
  throw new Error('not there yet')
}

/**
 * The lowest offset at which each of these batches was seen in a partition, by hash in hex. A record is a client's
 * retry when that offset is lower than its own; at its own offset it is a replay of the same cut.
 */
export async function findSeenBatches(
  _client: ClickHouseClient,
  _partition: number,
  _hashes: readonly Buffer[],
): Promise<Map<string, bigint>> {
  throw new Error('not there yet')
}

/** Every hash seen in a partition since `sinceMs`, oldest first, to warm a filter after a rebalance. */
export async function* readSeenBatches(
  _client: ClickHouseClient,
  _partition: number,
  _sinceMs: number,
): AsyncGenerator<SeenBatch[]> {
  yield* []
  throw new Error('not there yet')
}
