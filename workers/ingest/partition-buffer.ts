import type { IngestRecord } from './inspect-record.ts'
import { createWaker, type Waker } from './wait.ts'

/** Bytes of records that were fetched and are not in ClickHouse yet, over all partitions of the process. */
export interface BufferBudget {
  bytes(): number
  add(bytes: number): void
  release(bytes: number): void
  /** Resolves at the next release, or after `ms`. */
  released(ms: number): Promise<void>
}

export function createBufferBudget(): BufferBudget {
  let total = 0
  const releases = createWaker()
  return {
    bytes: () => total,
    add: (bytes) => {
      total += bytes
    },
    release(bytes) {
      total -= bytes
      releases.wake()
    },
    released: releases.wait,
  }
}

export interface PartitionBuffer {
  /** Records must follow each other. @returns false when some are missing between what is here and these */
  append(records: IngestRecord[]): boolean
  /** Oldest first; the buffer's own array, not to be kept. */
  records(): readonly IngestRecord[]
  rows(): number
  /** Forgets the oldest `count`. */
  drop(count: number): void
  /** Offset of the record that must come next. */
  nextOffset(): number
  close(): void
}

/** What a record takes beside its rows. */
const RECORD_OVERHEAD = 400

/** Bytes that a record takes in memory. */
export function sizeOfRecord(record: IngestRecord): number {
  return record.rows.length + RECORD_OVERHEAD
}

export function sizeOfRecords(records: readonly IngestRecord[]): number {
  return records.reduce((sum, record) => sum + sizeOfRecord(record), 0)
}

/** @param arrivals woken when something arrives, for whoever empties the buffer */
export function createPartitionBuffer(
  start: number,
  budget: BufferBudget,
  arrivals: Pick<Waker, 'wake'>,
): PartitionBuffer {
  const records: IngestRecord[] = []
  let next = start
  let rows = 0
  let closed = false
  const rowsOf = (some: readonly IngestRecord[]) =>
    some.reduce((sum, record) => sum + (record.poison ? 0 : record.count), 0)
  return {
    append(arrived) {
      // A fetch that was under way when the partition went: nobody would ever take it out again.
      if (closed) return true
      // A fetch may begin before the offset that was asked for.
      const fresh = arrived.filter((record) => record.offset >= next)
      if (fresh.length === 0) return true
      if (fresh[0]!.offset !== next) return false
      for (const record of fresh) records.push(record)
      next = fresh.at(-1)!.offset + 1
      rows += rowsOf(fresh)
      budget.add(sizeOfRecords(fresh))
      arrivals.wake()
      return true
    },
    records: () => records,
    rows: () => rows,
    drop(count) {
      const dropped = records.splice(0, count)
      rows -= rowsOf(dropped)
      budget.release(sizeOfRecords(dropped))
    },
    nextOffset: () => next,
    close() {
      closed = true
      budget.release(sizeOfRecords(records))
      records.length = 0
      rows = 0
    },
  }
}
