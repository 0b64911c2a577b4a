import { describe, expect, test } from 'vitest'
import { encodeEventRecord, partitionOf } from '../../kafka/encode-event-record.ts'
import { makeRecord } from '../../tests/made-records.ts'
import { inspectRecord, type RawRecord } from './inspect-record.ts'

const { number: _, ...event } = makeRecord(7, { count: 2 })
const message = encodeEventRecord(event, 3)
const raw = (some: Partial<RawRecord> = {}): RawRecord => ({
  key: message.key,
  value: message.value,
  headers: message.headers,
  timestamp: '1700000000000',
  offset: '42',
  ...some,
})

describe('a record', () => {
  test('that a gate wrote comes out as it went in', () => {
    expect(inspectRecord(raw())).toEqual({ ...event, offset: 42, at: 1_700_000_000_000, poison: undefined })
  })
  test.each([
    ['foreign_record', { headers: {} }],
    ['foreign_record', { headers: undefined }],
    ['foreign_record', { key: null }],
    ['foreign_record', { key: Buffer.alloc(15) }],
    ['foreign_record', { value: null }],
    ['foreign_record', { headers: { ...message.headers, n: Buffer.alloc(4) } }],
    ['foreign_record', { headers: { ...message.headers, n: Buffer.alloc(4, 255) } }],
    ['foreign_record', { headers: { ...message.headers, b: Buffer.alloc(8) } }],
    ['foreign_record', { headers: { ...message.headers, a: 'text' } }],
    ['unknown_format', { headers: { ...message.headers, f: Buffer.from([0, 2]) } }],
    ['corrupt_record', { value: Buffer.from('sowr') }],
    ['unreadable_rows', { headers: { ...message.headers, n: Buffer.from([0, 0, 0, 3]) } }],
    ['corrupt_record', { headers: { ...message.headers, c: undefined } }],
  ] as [string, Partial<RawRecord>][])('that is a %s is told by headers and checksum', (poison, some) => {
    expect(inspectRecord(raw(some)).poison).toBe(poison)
  })
})

describe('the partition of a subject', () => {
  test('is always the same, and subjects spread evenly', () => {
    const hits = [0, 0, 0]
    for (let number = 0; number < 3_000; number++) {
      const subject = Buffer.alloc(16)
      subject.writeUInt32BE(Math.imul(number, 2_654_435_761) >>> 0, 4)
      hits[partitionOf(subject, 3)]! += 1
    }
    expect(partitionOf(Buffer.alloc(16, 7), 3)).toBe(partitionOf(Buffer.alloc(16, 7), 3))
    for (const count of hits) expect(count).toBeGreaterThan(900)
  })
})
