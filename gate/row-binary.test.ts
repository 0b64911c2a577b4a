import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventRow } from '../schemas/event-row.ts'
import { createRowWriter, decodeRows, encodeRows } from './row-binary.ts'

const text = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.string({ unit: 'grapheme', minLength: 5_000, maxLength: 6_000, size: 'max' }),
)
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const time = fc.integer({ min: -1e13, max: 1e14 })
const row: fc.Arbitrary<EventRow> = fc.record({
  app: text,
  event: text,
  ts: time,
  receivedAt: time,
  subject: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
  session: uint64,
  device: uint64,
  eventId: uint64,
  orderId: uint64,
  path: text,
  element: text,
  product: text,
  revenue: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  currency: text,
  props: text,
})

test('what is encoded is decoded', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 4 }), (rows) => {
      expect(decodeRows(encodeRows(rows))).toEqual(rows)
    }),
    { numRuns: 60 },
  )
})

test('the bytes are those that ClickHouse reads', () => {
  const bytes = encodeRows([
    {
      app: 'shop',
      event: 'é',
      ts: 1,
      receivedAt: -1,
      subject: Buffer.alloc(16, 0xab),
      session: 1n,
      device: 0n,
      eventId: 2n ** 64n - 1n,
      orderId: 256n,
      path: '',
      element: 'x'.repeat(128),
      product: '',
      revenue: -10_000n,
      currency: 'EUR',
      props: '{}',
    },
  ])
  expect(bytes.toString('hex')).toBe(
    [
      '0473686f70',
      '02c3a9',
      '0100000000000000',
      'ffffffffffffffff',
      'ab'.repeat(16),
      '0100000000000000',
      '0000000000000000',
      'ffffffffffffffff',
      '0001000000000000',
      '00',
      `8001${'78'.repeat(128)}`,
      '00',
      'f0d8ffffffffffff',
      '03455552',
      '027b7d',
    ].join(''),
  )
})

test('strings of every length around the limits of a length byte survive', () => {
  for (const length of [0, 1, 22, 23, 24, 41, 42, 43, 63, 64, 127, 128, 129, 5_461, 5_462, 16_383, 16_384]) {
    for (const unit of ['a', 'é', '語']) {
      const writer = createRowWriter(8)
      writer.string(unit.repeat(length))
      const bytes = writer.take()
      const head =
        Buffer.byteLength(unit) * length < 128 ? 1 : Buffer.byteLength(unit) * length < 16_384 ? 2 : 3
      expect(bytes.subarray(head).toString()).toBe(unit.repeat(length))
    }
  }
})

test('lone surrogates become valid UTF-8', () => {
  const writer = createRowWriter()
  writer.string('a\ud800')
  expect(writer.take().toString('hex')).toBe('0461efbfbd')
})

test('a truncated or longer buffer is refused', () => {
  const rows = fc.sample(row, { numRuns: 1, seed: 7 })
  const bytes = encodeRows(rows)
  expect(() => decodeRows(bytes.subarray(0, -1))).toThrow(RangeError)
  expect(() => decodeRows(Buffer.concat([bytes, Buffer.from([5])]))).toThrow(RangeError)
})

test('a hash of zero becomes one, since zero stands for no id', () => {
  const writer = createRowWriter()
  writer.hash64('\0'.repeat(32))
  writer.hash64('')
  expect(writer.take().toString('hex')).toBe('01000000000000000000000000000000')
})
