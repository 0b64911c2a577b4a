import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { findSeenBatches, insertSeenBatches, readSeenBatches } from '../../clickhouse/seen-batches.ts'
import type { Logger } from '../../runtime/logger.ts'
import { isSameEpoch, packPosition } from './cut-position.ts'
import { type IngestRecord, NO_BATCH } from './inspect-record.ts'
import { FILTER_MAX_BLOCKS, RETRY_WINDOW_MS } from './limits.ts'
import { createSeenFilter } from './seen-filter.ts'

/** Batches of one partition that were stored before; lives as long as this member owns the partition. */
export interface SeenBatches {
  /** @returns what tells a client's retry from a first arrival, for these records */
  lookUp(records: readonly IngestRecord[]): Promise<(record: IngestRecord) => boolean>
  /** Writes the cut's batches to ClickHouse; must have succeeded before the cut is acknowledged. */
  write(records: readonly IngestRecord[], token: string): Promise<void>
  /** To be called with each batch that was stored, before the next cut is looked up. */
  remember(records: readonly IngestRecord[]): void
  close(): void
}

/** Look-ups in one question to ClickHouse. */
const KEYS_A_QUESTION = 2_000

/** @param openPartitions how many partitions share the filter's memory */
export function openSeenBatches(deps: {
  clickhouse: ClickHouseClient
  logger: Logger
  partition: number
  epoch: string
  openPartitions: () => number
}): SeenBatches {
  const { clickhouse, partition, epoch } = deps
  const filter = createSeenFilter({
    maxBlocks: () => Math.floor(FILTER_MAX_BLOCKS / Math.max(1, deps.openPartitions())),
    windowMs: RETRY_WINDOW_MS,
  })
  let closed = false
  const load = async () => {
    for await (const batches of readSeenBatches(clickhouse, partition, Date.now() - RETRY_WINDOW_MS)) {
      if (closed) return
      for (const { hash, at } of batches) filter.add(hash, at)
    }
    filter.markLoaded()
  }
  load().catch((error) => {
    deps.logger.warn(
      { partition, error: (error as Error).name },
      'filter not loaded: every batch is looked up',
    )
  })

  return {
    async lookUp(records) {
      filter.expire(Date.now())
      const suspects = records.filter((record) => !record.poison && filter.mayContain(record.batch))
      const found = new Map<string, bigint>()
      for (let at = 0; at < suspects.length; at += KEYS_A_QUESTION) {
        const hashes = suspects.slice(at, at + KEYS_A_QUESTION).map((record) => record.batch)
        for (const [hash, position] of await findSeenBatches(clickhouse, partition, hashes))
          found.set(hash, position)
      }
      return (record) => {
        const position = found.get(record.batch.toString('hex'))
        return position !== undefined && isEarlier(position, packPosition(epoch, record.offset))
      }
    },
    async write(records, token) {
      const last = records.at(-1)
      if (!last) return
      const seen = records.filter((record) => !record.poison)
      // The last offset always stands there, be it of a poison record: it tells how far this ClickHouse has come.
      if (last.poison) seen.push({ ...last, batch: NO_BATCH })
      await insertSeenBatches(
        clickhouse,
        seen.map(({ batch, offset, at }) => ({
          partition,
          offset: packPosition(epoch, offset),
          hash: batch,
          at,
        })),
        token,
      )
    },
    remember(records) {
      for (const record of records) if (!record.poison) filter.add(record.batch, record.at)
    },
    close() {
      closed = true
    },
  }
}

/**
 * At its own position a batch is a replay of its own cut; at a later one the retry is the other. Positions of another
 * epoch are from a topic that is gone, so whatever stands there came first.
 */
export function isEarlier(seen: bigint, own: bigint): boolean {
  return seen < own || !isSameEpoch(seen, own)
}
