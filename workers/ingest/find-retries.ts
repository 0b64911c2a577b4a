import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { findSeenBatches, readSeenBatches, type SeenBatch } from '../../clickhouse/seen-batches.ts'
import type { Logger } from '../../runtime/logger.ts'
import { isSameEpoch, packPosition } from './cut-position.ts'
import { type IngestRecord, NO_BATCH } from './inspect-record.ts'
import { FILTER_MAX_BLOCKS, RETRY_FIRST_MS, RETRY_LONGEST_MS, RETRY_WINDOW_MS } from './limits.ts'
import { createSeenFilter, type SeenFilter } from './seen-filter.ts'
import { createBackoff } from './wait.ts'

/** Batches of one partition that were stored before; lives as long as this member owns the partition. */
export interface SeenBatches {
  /** @returns what tells a client's retry from a first arrival, for these records */
  lookUp(records: readonly IngestRecord[]): Promise<(record: IngestRecord) => boolean>
  /** What `ingest_seen` must hold of a cut, before the cut is acknowledged. */
  rowsOf(records: readonly IngestRecord[]): SeenBatch[]
  /** To be called with each batch that was stored, before the next cut is looked up. */
  remember(records: readonly IngestRecord[]): void
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
  /** Fires when the partition may be another's. */
  signal: AbortSignal
}): SeenBatches {
  const { clickhouse, partition, epoch } = deps
  const filter = createSeenFilter({
    maxBlocks: () => Math.floor(FILTER_MAX_BLOCKS / Math.max(1, deps.openPartitions())),
    windowMs: RETRY_WINDOW_MS,
  })
  void loadFilter(deps, filter).catch(() => undefined)

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
    rowsOf(records) {
      const seen = records.filter((record) => !record.poison)
      const last = records.at(-1)
      // The last offset always stands there, be it of a poison record: it tells how far this ClickHouse has come.
      if (last?.poison) seen.push({ ...last, batch: NO_BATCH })
      return seen.map(({ batch, offset, at }) => ({
        partition,
        offset: packPosition(epoch, offset),
        hash: batch,
        at,
      }))
    },
    remember(records) {
      for (const record of records) if (!record.poison) filter.add(record.batch, record.at)
    },
  }
}

/**
 * Tried until it succeeds; meanwhile every batch is looked up. It ends early when the memory is full: the rest could not
 * be told apart anyway. @throws EbbError `session_over`
 */
export async function loadFilter(
  deps: Pick<Parameters<typeof openSeenBatches>[0], 'clickhouse' | 'logger' | 'partition' | 'signal'>,
  filter: SeenFilter,
  read = readSeenBatches,
): Promise<void> {
  const { clickhouse, logger, partition, signal } = deps
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_LONGEST_MS, signal)
  for (;;) {
    try {
      for await (const batches of read(clickhouse, partition, Date.now() - RETRY_WINDOW_MS)) {
        if (signal.aborted) return
        for (const { hash, at } of batches) filter.add(hash, at)
        if (filter.isFull()) {
          filter.markPartlyLoaded(Date.now())
          logger.warn({ partition }, 'filter is full: every batch is looked up')
          return
        }
      }
      return filter.markLoaded()
    } catch (error) {
      logger.warn(
        { partition, error: (error as Error).name },
        'filter not loaded yet: every batch is looked up',
      )
      await backoff()
    }
  }
}

/**
 * At its own position a batch is a replay of its own cut; at a later one the retry is the other. Positions of another
 * epoch are from a topic that is gone, so whatever stands there came first.
 */
export function isEarlier(seen: bigint, own: bigint): boolean {
  return seen < own || !isSameEpoch(seen, own)
}
