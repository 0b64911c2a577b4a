import { describe, expect, it } from 'vitest'
import { chooseDays, describeResult } from './etl.ts'

const NOW = Date.parse('2026-11-21T10:00:00Z')

describe('ebb etl', () => {
  it('takes yesterday, a day, or every day of a range', () => {
    expect(chooseDays({}, NOW)).toEqual(['2026-11-20'])
    expect(chooseDays({ date: '2026-11-03' }, NOW)).toEqual(['2026-11-03'])
    expect(chooseDays({ from: '2026-02-27', to: '2026-03-01' }, NOW)).toEqual([
      '2026-02-27',
      '2026-02-28',
      '2026-03-01',
    ])
    expect(chooseDays({ from: '2026-11-19' }, NOW)).toEqual(['2026-11-19', '2026-11-20'])
  })

  it.each([
    [{ date: '2026-2-3' }, '--date must be YYYY-MM-DD'],
    [{ date: '2026-02-30' }, '--date must be YYYY-MM-DD'],
    [{ date: '2026-02-03', from: '2026-02-01' }, 'not both'],
    [{ to: '2026-02-03' }, '--to needs --from'],
    [{ from: '2026-02-03', to: '2026-02-01' }, '--to is before --from'],
    [{ from: '2020-01-01', to: '2026-02-01' }, 'more than 367 days'],
    [{ date: '2026-11-22' }, 'has not begun'],
  ])('refuses %j in plain words', (options, message) => {
    expect(() => chooseDays(options, NOW)).toThrow(message)
  })

  it('says a clean day in one line and names the rows of a drift', () => {
    const clean = {
      ...{
        day: '2026-11-20',
        rows: 6,
        events: 1234,
        equal: 6,
        drifted: [],
        driftedCount: 0,
        published: true,
      },
      reportPath: 'reports/output/business_report_2026-11-20.md',
    }
    expect(describeResult(clean)).toBe(
      '2026-11-20  1,234 events in 6 rows, batch equals stream; reports/output/business_report_2026-11-20.md',
    )
    const row = { app: 'shop', event: 'purchase', currency: 'EUR', streaming: null }
    const batch = { events: 10, users: 10, sessions: 10, revenue: '1.0000' }
    expect(describeResult({ ...clean, driftedCount: 1, drifted: [{ ...row, batch }] })).toContain(
      '  shop purchase EUR: batch 10, streaming nothing events',
    )
  })

  it('says that a day which is not over was not published', () => {
    const counts = { rows: 6, events: 12, equal: 6, drifted: [], driftedCount: 0 }
    const today = { day: '2026-11-21', ...counts, published: false, reportPath: 'reports/output/today.md' }
    expect(describeResult(today)).toBe(
      '2026-11-21  12 events in 6 rows, batch equals stream; reports/output/today.md\n' +
        '  not published: the day is not over (UTC), analysts keep seeing it live',
    )
    expect(chooseDays({ date: '2026-11-21' }, NOW)).toEqual(['2026-11-21'])
  })
})
