import { ROW_COLUMNS } from './event-row.ts'

/**
 * The archive: `day=YYYY-MM-DD/bucket=NN/events.parquet`, the events of one UTC day whose subject falls into a bucket, in the
 * order of their subjects. A token is a keyed hash, so its first byte spreads people evenly.
 */
export const ARCHIVE_BUCKETS = 64

/** The two digits of a token's bucket (token: 16 bytes). */
export function archiveBucket(token: Uint8Array): string {
  return String((token[0] ?? 0) % ARCHIVE_BUCKETS).padStart(2, '0')
}

/** `day` and `bucket` may be a glob of ClickHouse's `s3()`: `*`, `{01,05}`. */
export function archiveKey(day: string, bucket: string): string {
  return `day=${day}/bucket=${bucket}/events.parquet`
}

/** Columns of a file with their ClickHouse types, as one structure. */
export const ARCHIVE_STRUCTURE = ROW_COLUMNS.map(([name, type]) => {
  const plain = type
    .replace('LowCardinality(String)', 'String')
    .replace('DateTime64(3)', "DateTime64(3, 'UTC')")
  return `${name} ${plain}`
}).join(', ')

export const ARCHIVE_COLUMNS = ROW_COLUMNS.map(([name]) => name).join(', ')

/** What passes between the archive's workflow and its activity: days and counts, kept in histories. */
export interface ArchiveDayInput {
  /** `YYYY-MM-DD`; without it, the day before the schedule's time. */
  day?: string
}

export interface ArchiveDayResult {
  day: string
  rows: number
  files: number
}

export interface ArchiveActivities {
  /** Writes a day's files in the place of older ones. `archive_busy` while an erasure is under way: try again. */
  archiveDay(input: { day: string }): Promise<ArchiveDayResult>
}
