import { describe, expect, it } from 'vitest'
import type { DailyMetric } from '../clickhouse/daily-metric.ts'
import type { BusinessDay } from '../clickhouse/read-business-day.ts'
import { type BusinessReportInput, renderBusinessReport } from './render-business-report.ts'

const DAY = '2026-11-20'

function metric(day: string, event: string, events: number, users: number, revenue = '0.0000'): DailyMetric {
  const currency = event === 'purchase' ? 'EUR' : ''
  return { app: 'shop', day, event, currency, events, users, sessions: users, revenue }
}

function input(
  today: Partial<BusinessDay> = {},
  more: Partial<BusinessReportInput> = {},
): BusinessReportInput {
  return {
    day: DAY,
    soFar: false,
    today: {
      leftOut: { rows: 0, events: 0 },
      apps: [{ app: 'shop', events: 1200, users: 100, sessions: 120 }],
      events: [
        { app: 'shop', event: 'page_view', events: 1000, users: 100, sessions: 120 },
        { app: 'shop', event: 'purchase', events: 200, users: 50, sessions: 60 },
      ],
      days: [],
      revenue: [{ app: 'shop', currency: 'EUR', revenue: '1234.5000', purchases: 200, users: 50 }],
      hours: [{ hour: 20, events: 1200, users: 100 }],
      funnel: [{ app: 'shop', viewed: 100, added: 60, purchased: 50 }],
      pages: [],
      products: [],
      buttons: [],
      ...today,
    },
    history: [],
    rejected: { counts: [], complete: true },
    check: { batchRows: 2, differingRows: 0 },
    ...more,
  }
}

describe('the business report', () => {
  it('opens with the day in one sentence, and whether batch equals stream', () => {
    const { markdown, text } = renderBusinessReport(input())
    expect(text).toContain('1,200 events of 100 people; revenue 1,234.50 EUR.')
    expect(markdown).toContain('agree in all 2 rows')
    expect(renderBusinessReport(input({}, { check: { batchRows: 2, differingRows: 1 } })).text).toContain(
      'differ in 1 row: see the alert',
    )
  })

  it('compares with the day before and with the mean of the days that have data', () => {
    const history = [metric('2026-11-19', 'page_view', 1000, 90), metric('2026-11-15', 'page_view', 500, 80)]
    const { markdown } = renderBusinessReport(input({}, { history }))
    expect(markdown).toContain('| Events | 1,200 | 1,000 | +20.0 % | 750 | +60.0 % |')
  })

  it('adds money exactly, and never two currencies', () => {
    const revenue = [
      { app: 'a', currency: 'EUR', revenue: '9007199254740993.0100', purchases: 9, users: 9 },
      { app: 'b', currency: 'EUR', revenue: '0.0200', purchases: 9, users: 9 },
      { app: 'b', currency: 'USD', revenue: '1.0000', purchases: 9, users: 9 },
    ]
    expect(renderBusinessReport(input({ revenue })).text).toContain(
      'revenue 9,007,199,254,740,993.03 EUR and 1.00 USD.',
    )
  })

  it('shows no list entry, hour, step or past day of fewer than five people', () => {
    const report = renderBusinessReport(
      input(
        {
          pages: [
            { app: 'shop', path: '/many', events: 500, users: 90 },
            { app: 'shop', path: '/some', events: 300, users: 40 },
            { app: 'shop', path: '/secret', events: 13577, users: 4 },
          ],
          hours: [
            { hour: 3, events: 7777, users: 4 },
            { hour: 4, events: 8888, users: 5 },
            { hour: 20, events: 1200, users: 100 },
          ],
          funnel: [{ app: 'shop', viewed: 100, added: 60, purchased: 4 }],
        },
        { history: [metric('2026-11-19', 'page_view', 6666, 4)] },
      ),
    )
    const all = report.markdown + report.text + report.svg
    for (const told of ['/secret', '13,577', '6,666', '7,777', '| 4 |']) expect(all, told).not.toContain(told)
    // The smallest that may be shown hides too: with it, subtraction from the total would tell the hidden one.
    expect(all).not.toContain('/some')
    expect(all).not.toContain('8,888')
    expect(report.markdown).toContain('fewer than 5')
    expect(all).toContain('/many')
  })

  it('says what was left out for having too few people', () => {
    const { text } = renderBusinessReport(input({ leftOut: { rows: 2, events: 9 } }))
    expect(text).toContain('2 kinds of event with fewer than 5 people left out of all figures.')
  })

  it('lets no path or element become markup or a terminal sequence', () => {
    const path = '/a|b<script>alert(1)</script>\u001b[31m\n![x](y)'
    const report = renderBusinessReport(input({ pages: [{ app: 'shop', path, events: 9, users: 9 }] }))
    expect(report.svg).not.toContain('<script>')
    expect(report.svg).toContain('&lt;script&gt;')
    expect(report.markdown).not.toMatch(/[^\\]<script/)
    expect(report.markdown).toContain('/a\\|b')
    expect(report.text).not.toContain('\u001b')
  })

  it('draws a chart with a title and a description, also of a day without events', () => {
    for (const today of [{}, { apps: [], events: [], revenue: [], hours: [], funnel: [] }]) {
      const { svg } = renderBusinessReport(input(today))
      expect(svg).toMatch(/<title id="chart-title">Business report 2026-11-20<\/title>/)
      expect(svg).toMatch(/<desc id="chart-desc">.+<\/desc>/)
      expect(svg).toContain('prefers-color-scheme: dark')
      expect(svg).not.toMatch(/NaN|Infinity|undefined/)
    }
  })
})
