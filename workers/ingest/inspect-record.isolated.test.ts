import { describe, expect, test, vi } from 'vitest'
import { encodeEventRecord, partitionOf } from '../../kafka/encode-event-record.ts'
import { makeRecord } from '../../tests/made-records.ts'
import { inspectRecord, isReadable, type RawRecord } from './inspect-record.ts'

// As after the next change of the layout: format 2 has one column more, and Kafka still holds records of format 1.
vi.mock('../../schemas/event-row.ts', async (original) => {
  const now = await original<typeof import('../../schemas/event-row.ts')>()
  const next = [...now.ROW_COLUMNS, ['country', 'String']]
  return { ...now, ROW_FORMAT: 2, ROW_COLUMNS: next, ROW_LAYOUTS: { 1: now.ROW_COLUMNS, 2: next } }
})

const { number: _, ...made } = makeRecord(7, { count: 2 })
const event = { ...made, format: 1 }
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
    ['unknown_format', { headers: { ...message.headers, f: Buffer.from([0, 0]) } }],
    ['unreadable_rows', { headers: { ...message.headers, f: Buffer.from([0, 2]) } }],
    ['corrupt_record', { value: Buffer.from('sowr') }],
    ['unreadable_rows', { headers: { ...message.headers, n: Buffer.from([0, 0, 0, 3]) } }],
    ['corrupt_record', { headers: { ...message.headers, c: undefined } }],
  ] as [string, Partial<RawRecord>][])('that is a %s is told by headers and checksum', (poison, some) => {
    expect(inspectRecord(raw(some)).poison).toBe(poison)
  })
  test('of a format that only a newer release knows is neither poison nor readable', () => {
    const newer = inspectRecord(raw({ headers: { ...message.headers, f: Buffer.from([0, 3]) } }))
    expect(newer.poison).toBe(undefined)
    expect(isReadable(newer)).toBe(false)
    expect(isReadable(inspectRecord(raw()))).toBe(true)
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
