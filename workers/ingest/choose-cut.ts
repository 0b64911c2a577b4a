import type { IngestRecord } from './inspect-record.ts'
import { sizeOfRecord } from './partition-buffer.ts'

export interface CutBounds {
  maxRecords: number
  maxRows: number
  /** In memory: small records take more there than in their insert, and whoever repeats the cut must hold it. */
  maxBytes: number
}

/**
 * How many of the buffered records the next cut takes, at least one: bounded in rows and bytes, so that ClickHouse makes
 * one block of it, and in one row format, so that one insert holds it.
 */
export function chooseCut(records: readonly IngestRecord[], bounds: CutBounds): number {
  let rows = 0
  let bytes = 0
  let format: number | undefined
  let taken = 0
  for (const record of records) {
    bytes += sizeOfRecord(record)
    let over = bytes > bounds.maxBytes
    if (!record.poison) {
      format ??= record.format
      rows += record.count
      over ||= rows > bounds.maxRows || record.format !== format
    }
    if (taken > 0 && over) break
    taken++
    if (taken >= bounds.maxRecords) break
  }
  return taken
}
