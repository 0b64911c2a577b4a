import { describe, expect, it } from 'vitest'
import { chooseReport } from './report.ts'

const NOW = Date.parse('2026-11-21T10:00:00Z')

describe('ebb report', () => {
  it('takes yesterday, a day, a month, and those that still run', () => {
    expect(chooseReport({}, NOW)).toEqual({ day: '2026-11-20' })
    expect(chooseReport({ date: '2026-11-21' }, NOW)).toEqual({ day: '2026-11-21' })
    expect(chooseReport({ month: '2026-11' }, NOW)).toEqual({ month: '2026-11' })
  })

  it.each([
    [{ date: '2026-02-30' }, '--date must be YYYY-MM-DD'],
    [{ month: '2026-13' }, '--month must be YYYY-MM'],
    [{ date: '2026-11-20', month: '2026-11' }, 'not both'],
    [{ date: '2026-11-22' }, 'the day has not begun'],
    [{ month: '2026-12' }, 'the month has not begun'],
  ])('refuses %j in plain words', (options, message) => {
    expect(() => chooseReport(options, NOW)).toThrow(message)
    expect(() => chooseReport(options, NOW)).toThrow(expect.objectContaining({ code: 'bad_arguments' }))
  })
})
