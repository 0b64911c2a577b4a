import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTime } from './parse-time.ts'

test('every time that JavaScript writes is read back', () => {
  const date = fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  fc.assert(fc.property(date, (date) => parseTime(date.toISOString()) === date.getTime()))
})

test.each([
  ['2026-06-11T10:20:30.123Z', '2026-06-11T10:20:30.123Z'],
  ['2026-06-11T10:20:30Z', '2026-06-11T10:20:30.000Z'],
  ['2026-06-11T10:20:30.1Z', '2026-06-11T10:20:30.100Z'],
  ['2026-06-11T10:20:30.123456Z', '2026-06-11T10:20:30.123Z'],
  ['2026-06-11T10:20:30+02:00', '2026-06-11T08:20:30.000Z'],
  ['2026-06-11T10:20:30-0530', '2026-06-11T15:50:30.000Z'],
  ['2026-06-11T10:20:30+02', '2026-06-11T08:20:30.000Z'],
  ['2026-06-11 10:20', '2026-06-11T10:20:00.000Z'],
  ['2026-06-11', '2026-06-11T00:00:00.000Z'],
  ['2024-02-29T00:00:00.000Z', '2024-02-29T00:00:00.000Z'],
  [1_781_173_230_123, '2026-06-11T10:20:30.123Z'],
  [1_781_173_230, '2026-06-11T10:20:30.000Z'],
  [1_781_173_230.123, '2026-06-11T10:20:30.123Z'],
])('%s is %s', (value, expected) => {
  expect(new Date(parseTime(value)).toISOString()).toBe(expected)
})

test.each([
  '',
  'yesterday',
  '2026-02-30T00:00:00.000Z',
  '2025-02-29T00:00:00.000Z',
  '2026-13-01T00:00:00.000Z',
  '2026-00-01T00:00:00.000Z',
  '2026-06-11T24:00:00.000Z',
  '2026-06-11T10:60:00.000Z',
  '2026-06-11T10:20:30.12xZ',
  '2026-06-11X10:20:30.123Z',
  '2026-06-11T10:20:30.123Y',
  '2026-06-11T10:20:30+99:00',
  '1781173230123',
  '2026-06-11T10:20:30.123Z and more',
  Number.NaN,
  Number.POSITIVE_INFINITY,
  1e300,
  true,
  {},
  [],
])('%j is no time', (value) => {
  expect(parseTime(value)).toBeNaN()
})
