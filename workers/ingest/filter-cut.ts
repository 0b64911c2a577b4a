import type { Rejection } from '../../schemas/event-record.ts'
import type { IngestRecord, PoisonCode } from './inspect-record.ts'

export interface FilteredCut {
  insert: IngestRecord[]
  rejected: { record: IngestRecord; code: PoisonCode }[]
  /** Events left out, for the metrics. */
  revokedEvents: number
  duplicateEvents: number
}

/**
 * What of a cut goes into ClickHouse. The same cut and `rev` always give the same answer, so that a repeat after a
 * crash inserts the same rows: duplicates are judged by lower offsets only, and revocations as of `rev`.
 * @param isRetry was this batch stored by a record before this cut?
 */
export function filterCut(
  records: readonly IngestRecord[],
  isRevoked: (token: Buffer) => boolean,
  isRetry: (record: IngestRecord) => boolean,
): FilteredCut {
  const filtered: FilteredCut = { insert: [], rejected: [], revokedEvents: 0, duplicateEvents: 0 }
  const inThisCut = new Set<string>()
  for (const record of records) {
    if (record.poison) {
      filtered.rejected.push({ record, code: record.poison })
      continue
    }
    if (isRevoked(record.subject)) {
      filtered.revokedEvents += record.count
      continue
    }
    const batch = record.batch.toString('latin1')
    if (inThisCut.has(batch) || isRetry(record)) {
      filtered.duplicateEvents += record.count
      continue
    }
    inThisCut.add(batch)
    filtered.insert.push(record)
  }
  return filtered
}

/** A rejection says which app and why; never what. */
export function toRejection(record: IngestRecord, code: PoisonCode, now: number): Rejection {
  return { app: record.app, code, event: '', count: Math.max(1, record.count), at: now }
}
