import { describe, expect, test } from 'vitest'
import { chooseCut } from './choose-cut.ts'
import { filterCut, toRejection } from './filter-cut.ts'
import type { IngestRecord } from './inspect-record.ts'

const record = (offset: number, some: Partial<IngestRecord> = {}): IngestRecord => ({
  offset,
  at: 0,
  app: 'shop',
  subject: Buffer.alloc(16, 1),
  batch: Buffer.alloc(16, offset),
  count: 10,
  format: 1,
  rows: Buffer.alloc(100),
  poison: undefined,
  ...some,
})
const offsets = (records: readonly IngestRecord[]) => records.map(({ offset }) => offset)
const never = () => false

describe('a filtered cut', () => {
  test('holds what is neither revoked, repeated nor poison, in order', () => {
    const revoked = Buffer.alloc(16, 9)
    const cut = [
      record(1),
      record(2, { subject: revoked }),
      record(3, { poison: 'corrupt_record' }),
      record(4, { batch: Buffer.alloc(16, 1) }),
      record(5),
      record(6),
    ]
    const filtered = filterCut(
      cut,
      (token) => token.equals(revoked),
      ({ offset }) => offset === 5,
    )
    expect(offsets(filtered.insert)).toEqual([1, 6])
    expect(filtered.rejected.map(({ code }) => code)).toEqual(['corrupt_record'])
    expect(filtered).toMatchObject({ revokedEvents: 10, duplicateEvents: 20 })
  })
  test('takes the retry when the first arrival is poison', () => {
    const batch = Buffer.alloc(16, 7)
    const cut = [record(1, { batch, poison: 'corrupt_record' }), record(2, { batch })]
    expect(offsets(filterCut(cut, never, never).insert)).toEqual([2])
  })
  test('names app, code and count of a poison record, and nothing of its body', () => {
    expect(toRejection(record(1), 'corrupt_record', 5)).toEqual({
      app: 'shop',
      code: 'corrupt_record',
      event: '',
      count: 10,
      at: 5,
    })
    expect(toRejection(record(1, { count: -1 }), 'foreign_record', 5).count).toBe(1)
  })
})

describe('a cut', () => {
  const bounds = { maxRecords: Number.POSITIVE_INFINITY, maxRows: 35, maxBytes: 5_000 }
  test('is bounded in rows, bytes and records, and takes at least one record', () => {
    const records = [1, 2, 3, 4, 5].map((offset) => record(offset))
    expect(chooseCut(records, bounds)).toBe(3)
    expect(chooseCut(records, { ...bounds, maxBytes: 1_250 })).toBe(2)
    expect(chooseCut(records, { ...bounds, maxRecords: 1 })).toBe(1)
    expect(chooseCut([record(1, { count: 1_000 })], bounds)).toBe(1)
  })
  test('ends where the row format changes; poison records belong to any', () => {
    const records = [
      record(1),
      record(2, { format: 9, poison: 'unknown_format' }),
      record(3),
      record(4, { format: 2 }),
    ]
    expect(chooseCut(records, bounds)).toBe(3)
  })
})
