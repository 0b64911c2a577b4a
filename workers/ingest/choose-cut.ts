import type { IngestRecord } from './inspect-record.ts'

export interface CutBounds {
  maxRecords: number
  maxRows: number
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
    if (!record.poison) {
      format ??= record.format
      rows += record.count
      bytes += record.rows.length
      const over = rows > bounds.maxRows || bytes > bounds.maxBytes || record.format !== format
      if (taken > 0 && over) break
    }
    taken++
    if (taken >= bounds.maxRecords) break
  }
  return taken
}
