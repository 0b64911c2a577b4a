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
    const { markdown, name } = renderMonthlyTrends({ month: '2026-11', trends, days: [], soFar: false })
    expect(name).toBe('monthly_trends_2026-11')
    expect(markdown).toContain('| 2026-11 | 30 | 150 | +50.0 % | 150 | +50.0 % | 1,100.00 EUR | +10.0 % |')
    expect(markdown).toContain('| shop | purchase | 150 | 100 | +50.0 % | 60 | +20.0 % |')
  })

  it('compare over a year without a month between as with nothing', () => {
    const trends = [trend('2026-09', 'page_view', 100, 50), trend('2026-11', 'page_view', 150, 60)]
    const { markdown } = renderMonthlyTrends({ month: '2026-11', trends, days: [], soFar: false })
    expect(markdown).toContain('| 2026-11 | 30 | 150 | – |')
  })

  it('leave rows of fewer than five people out of every figure', () => {
    const trends = [trend('2026-11', 'page_view', 150, 60), trend('2026-11', 'alias', 7, 4)]
    const { markdown, text } = renderMonthlyTrends({ month: '2026-11', trends, days: [], soFar: false })
    expect(markdown).toContain('150 events on 30 days')
    expect(markdown).toContain('1 row is left out')
    expect(markdown + text).not.toContain('alias')
  })

  it('print no 0 where few people hide', () => {
    const trends = [
      trend('2026-10', 'purchase', 7, 4, '1000.0000'),
      trend('2026-11', 'page_view', 150, 60),
      trend('2026-11', 'purchase', 9, 3, '70.0000'),
      trend('2026-12', 'purchase', 150, 60, '1100.0000'),
    ]
    const { markdown, svg } = renderMonthlyTrends({ month: '2026-12', trends, days: [], soFar: false })
    expect(markdown).toContain('| 2026-10 | – | fewer than 5 | – | fewer than 5 | – | fewer than 5 | – |')
    expect(markdown).toContain('| 2026-11 | 30 | 150 | – | fewer than 5 | – | fewer than 5 | – |')
    expect(markdown).toContain('| 2026-12 | 30 | 150 | 0.0 % | 150 | – | 1,100.00 EUR | – |')
    expect(markdown).toContain('| shop | purchase | 150 | fewer than 5 | – | 60 | – |')
    expect(svg).toContain('<title>2026-10: not shown</title>')
    expect(svg).not.toContain('<title>2026-09')
  })

  it('tell no change of a month that is not over', () => {
    const trends = [trend('2026-10', 'page_view', 100, 50), trend('2026-11', 'page_view', 150, 60)]
    const { markdown } = renderMonthlyTrends({ month: '2026-11', trends, days: [], soFar: true })
    expect(markdown).toContain('The month is not over: these are the figures so far.')
    expect(markdown).toContain('| 2026-11 | 30 | 150 | – |')
    expect(markdown).not.toContain('%')
  })

  it('say so when there is nothing', () => {
    const { markdown, svg } = renderMonthlyTrends({ month: '2026-11', trends: [], days: [], soFar: false })
    expect(markdown).toContain('No figures for 2026-11')
    expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  })
})
