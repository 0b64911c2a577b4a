import { describe, expect, it } from 'vitest'
import type { MonthlyTrend } from '../clickhouse/read-trends.ts'
import { renderMonthlyTrends } from './render-monthly-trends.ts'

function trend(
  month: string,
  event: string,
  events: number,
  users: number,
  revenue = '0.0000',
): MonthlyTrend {
  const currency = event === 'purchase' ? 'EUR' : ''
  return { app: 'shop', month, event, currency, events, users, sessions: users, revenue, days: 30 }
}

describe('the monthly trends', () => {
  it('put each month beside the one before it', () => {
    const trends = [
      trend('2026-10', 'purchase', 100, 50, '1000.0000'),
      trend('2026-11', 'purchase', 150, 60, '1100.0000'),
    ]
    const { markdown, name } = renderMonthlyTrends({ month: '2026-11', trends, days: [] })
    expect(name).toBe('monthly_trends_2026-11')
    expect(markdown).toContain('| 2026-11 | 30 | 150 | +50.0 % | 150 | +50.0 % | 1,100.00 EUR | +10.0 % |')
    expect(markdown).toContain('| shop | purchase | 150 | 100 | +50.0 % | 60 | +20.0 % |')
  })

  it('compare over a year without a month between as with nothing', () => {
    const trends = [trend('2026-09', 'page_view', 100, 50), trend('2026-11', 'page_view', 150, 60)]
    const { markdown } = renderMonthlyTrends({ month: '2026-11', trends, days: [] })
    expect(markdown).toContain('| 2026-11 | 30 | 150 | – |')
  })

  it('leave rows of fewer than five people out of every figure', () => {
    const trends = [trend('2026-11', 'page_view', 150, 60), trend('2026-11', 'alias', 7, 4)]
    const { markdown, text } = renderMonthlyTrends({ month: '2026-11', trends, days: [] })
    expect(markdown).toContain('150 events on 30 days')
    expect(markdown).toContain('1 row is left out')
    expect(markdown + text).not.toContain('alias')
  })

  it('say so when there is nothing', () => {
    const { markdown, svg } = renderMonthlyTrends({ month: '2026-11', trends: [], days: [] })
    expect(markdown).toContain('No figures for 2026-11')
    expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  })
})
