import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatChange, formatMoney, formatTable, parseMoney } from './format-figures.ts'

describe('figures', () => {
  it('keep every ten-thousandth of money, however large', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (value) => {
        expect(parseMoney(formatMoney(value, '').trim().replaceAll(',', ''))).toBe(value)
      }),
    )
    expect(formatMoney(123_456_700n, 'EUR')).toBe('12,345.67 EUR')
    expect(formatMoney(-1n, 'EUR')).toBe('-0.0001 EUR')
  })

  it('say nothing where there is nothing to compare with', () => {
    expect(formatChange(5, null)).toBe('–')
    expect(formatChange(5, 0)).toBe('–')
    expect(formatChange(5, 4)).toBe('+25.0 %')
    expect(formatChange(99_999, 100_000)).toBe('0.0 %')
  })

  it('stand in a table that no cell can break', () => {
    expect(formatTable(['a'], [['x | y\n| z']])).toBe('| a |\n| :-- |\n| x \\| y\\| z |')
  })
})
