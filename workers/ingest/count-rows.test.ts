import { describe, expect, test } from 'vitest'
import { encodeRows } from '../../gate/row-binary.ts'
import { ROW_FORMAT } from '../../schemas/event-row.ts'
import { countRows } from './count-rows.ts'

const row = (props: string) => ({
  app: 'shop',
  event: 'purchase',
  ts: 1,
  receivedAt: 2,
  subject: new Uint8Array(16),
  session: 1n,
  device: 2n,
  eventId: 3n,
  orderId: 4n,
  path: '/',
  element: '',
  product: 'cup',
  revenue: 5n,
  currency: 'EUR',
  props,
})
const body = encodeRows([row('{}'), row('x'.repeat(300)), row('y'.repeat(20_000)), row('')])

describe('the rows of a body', () => {
  test('are counted without reading them', () => {
    expect(countRows(body, ROW_FORMAT)).toBe(4)
    expect(countRows(Buffer.alloc(0), ROW_FORMAT)).toBe(0)
  })
  test('are not counted when a byte is missing or too many, wherever the body ends', () => {
    for (let end = 1; end < 1_200; end++) {
      const whole = countRows(body.subarray(0, end), ROW_FORMAT)
      expect([-1, 1, 2], `cut at ${end}`).toContain(whole)
      if (whole > 0) expect(countRows(body.subarray(0, end + 1), ROW_FORMAT)).toBe(-1)
    }
    expect(countRows(body.subarray(0, -1), ROW_FORMAT)).toBe(-1)
    expect(countRows(Buffer.concat([body, Buffer.alloc(1)]), ROW_FORMAT)).toBe(-1)
  })
  test('are not counted in another format, nor in a string longer than a record may be', () => {
    expect(countRows(body, 99)).toBe(-1)
    expect(countRows(Buffer.alloc(50, 255), ROW_FORMAT)).toBe(-1)
  })
})
