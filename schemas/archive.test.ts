import { expect, test } from 'vitest'
import { ARCHIVE_BUCKETS, ARCHIVE_COLUMNS, ARCHIVE_STRUCTURE, archiveBucket, archiveKey } from './archive.ts'

test('a token falls into one of 64 buckets by its first byte, in two digits', () => {
  expect(archiveBucket(Buffer.from('07ffff', 'hex'))).toBe('07')
  expect(archiveBucket(Buffer.from('47ff', 'hex'))).toBe('07')
  const all = Array.from({ length: 256 }, (_, byte) => archiveBucket(Uint8Array.of(byte)))
  expect(new Set(all).size).toBe(ARCHIVE_BUCKETS)
  expect(archiveKey('2026-11-20', '07')).toBe('day=2026-11-20/bucket=07/events.parquet')
})

test('a file has the columns of a row, by types that Parquet knows', () => {
  expect(ARCHIVE_STRUCTURE).not.toContain('LowCardinality')
  expect(ARCHIVE_STRUCTURE.split(/, (?=[a-z_]+ [A-Z])/).map((column) => column.split(' ')[0])).toEqual(
    ARCHIVE_COLUMNS.split(', '),
  )
})
