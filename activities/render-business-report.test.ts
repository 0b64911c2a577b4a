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

  it('shows no comparison of a day that was not recounted, and says how to', () => {
    const history = [metric('2026-11-19', 'page_view', 1000, 90)]
    const { markdown, text } = renderBusinessReport(
      input({}, { history, check: { batchRows: 0, differingRows: 3 } }),
    )
    expect(markdown).toContain('Not recounted yet: run `ebb etl --date 2026-11-20`.')
    expect(markdown + text).not.toMatch(/differ|alert|agree|Day before|Change|average \|/)
    expect(markdown).toContain('| Events | 1,200 |\n')
  })

  it('tells of a running day no change in per cent, and no drift', () => {
    const history = [metric('2026-11-19', 'page_view', 1000, 90)]
    const more = { history, soFar: true, check: { batchRows: 2, differingRows: 1 } }
    const { markdown } = renderBusinessReport(input({}, more))
    expect(markdown).toContain('|  | So far | Day before | 7-day average |')
    expect(markdown).toContain('| Events | 1,200 | 1,000 | 1,000 |')
    expect(markdown).toContain('Events have come in since the day was last recounted')
    expect(markdown).not.toMatch(/differ|see the alert|[+-]\d+\.\d %/)
  })

  it('says of a day without events that there were none', () => {
    const none = { apps: [], events: [], revenue: [], hours: [], funnel: [] }
    const check = { batchRows: 0, differingRows: 0 }
    const { markdown, text } = renderBusinessReport(input(none, { check }))
    expect(text).toContain('No events that day.')
    expect(markdown + text).not.toMatch(/agree|recounted|## Apps|## Events/)
    expect(renderBusinessReport(input(none, { check, soFar: true })).text).toContain('No events so far.')
    // Rows that only the stream has are a difference: there is nothing left that a recount could count.
    const lost = { check: { batchRows: 0, differingRows: 3 } }
    expect(renderBusinessReport(input(none, lost)).text).toContain('differ in 3 rows: see the alert')
  })
})

describe('a figure that hides', () => {
  const viewed = { app: 'shop', event: 'page_view', events: 1000, users: 100, sessions: 120 }
  const carted = { app: 'shop', event: 'add_to_cart', events: 100, users: 60, sessions: 60 }
  const product = {
    app: 'shop',
    product: 'lamp',
    carts: 60,
    purchases: 0,
    revenue: {},
    users: 50,
    carters: 50,
    buyers: 0,
  }

  it('is nowhere a 0: three people purchased', () => {
    const { markdown } = renderBusinessReport(
      input({
        leftOut: { rows: 1, events: 3 },
        events: [viewed, carted],
        revenue: [],
        funnel: [{ app: 'shop', viewed: 100, added: 60, purchased: 0 }],
        products: [product],
      }),
    )
    expect(markdown).toContain('| Purchases | fewer than 5 | – |')
    expect(markdown).toContain('| shop | lamp | 60 | fewer than 5 | fewer than 5 | 50 |')
    expect(markdown).toContain('| shop | 100 | 60 | 60.0 % | fewer than 5 | – |')
    expect(markdown).toContain('| shop | 1,200 | 100 | 120 | fewer than 5 |')
    expect(markdown).toContain('| All | 1,200 | 100 | 120 | fewer than 5 |')
  })

  it('is a 0 everywhere when nobody purchased and nothing hides', () => {
    const { markdown } = renderBusinessReport(
      input({
        events: [viewed, carted],
        revenue: [],
        funnel: [{ app: 'shop', viewed: 100, added: 60, purchased: 0 }],
        products: [product],
      }),
    )
    expect(markdown).toContain('| Purchases | 0 |')
    expect(markdown).toContain('| shop | lamp | 60 | 0 | – | 50 |')
    expect(markdown).toContain('| shop | 100 | 60 | 60.0 % | 0 | 0.0 % |')
    expect(markdown).not.toContain('| fewer than 5')
  })

  it('leaves no figures at all of a day on which only few people did anything', () => {
    const none = { apps: [], events: [], revenue: [], hours: [], funnel: [] }
    const { markdown, svg } = renderBusinessReport(input({ ...none, leftOut: { rows: 3, events: 9 } }))
    expect(markdown).toContain('Too few people for any figure.')
    expect(markdown).toContain('| People | fewer than 5 |')
    expect(svg).toContain('<title>00: not shown</title>')
  })

  it('is no 0 of a past day either, in the table and in the chart; a day without figures is blank', () => {
    const history = [
      metric('2026-11-19', 'purchase', 7, 4, '70.0000'),
      metric('2026-11-17', 'page_view', 8, 8),
    ]
    const { markdown, svg } = renderBusinessReport(input({}, { history }))
    expect(markdown).toContain('| Events | 1,200 | fewer than 5 | – | 8 | +14900.0 % |')
    expect(markdown).toContain('| Purchases | 200 | fewer than 5 | – | 0 | – |')
    expect(markdown).toContain('| Revenue (EUR) | 1,234.50 EUR | fewer than 5 | – | 0.00 EUR | – |')
    expect(svg).toContain('<title>11-19: not shown</title>')
    expect(svg).not.toContain('<title>11-18')
  })

  it('is in no total: revenue of three people of one app cannot be had from the sum over all', () => {
    const revenue = [
      { app: 'a', currency: 'EUR', revenue: '1000.0000', purchases: 90, users: 50 },
      { app: 'b', currency: 'EUR', revenue: '30.0000', purchases: 3, users: 3 },
      { app: 'b', currency: 'USD', revenue: '700.0000', purchases: 90, users: 50 },
    ]
    const report = renderBusinessReport(input({ revenue }))
    expect(report.text).toContain('revenue 1,000.00 EUR and 700.00 USD.')
    expect(report.markdown + report.text + report.svg).not.toMatch(/1,030/)
  })

  it('is no product’s figure: few purchases hide, and one more product’s with them', () => {
    const products: BusinessDay['products'] = [
      {
        ...product,
        product: 'desk',
        purchases: 120,
        buyers: 40,
        revenue: { EUR: '900.0000', USD: '31.0000' },
      },
      { ...product, product: 'sofa', purchases: 76, buyers: 30, revenue: { EUR: '300.0000' } },
      // Two people, however often they bought it.
      { ...product, product: 'vase', purchases: 14, buyers: 2, revenue: { EUR: '34.5000' } },
    ]
    const usd = { app: 'shop', currency: 'USD', revenue: '31.0000', purchases: 2, users: 2 }
    const events = [viewed, carted, { app: 'shop', event: 'purchase', events: 200, users: 50, sessions: 60 }]
    const { revenue } = input().today
    const { markdown } = renderBusinessReport(input({ events, products, revenue: [...revenue, usd] }))
    expect(markdown).toContain('| shop | desk | 60 | 120 | 900.00 EUR | 50 |')
    expect(markdown).toContain('| shop | sofa | 60 | not shown | not shown | 50 |')
    expect(markdown).toContain('| shop | vase | 60 | fewer than 5 | fewer than 5 | 50 |')
  })

  it('does not differ between a day’s own report and the next one’s day before', () => {
    // The day itself counts a kind of event over all currencies, so its past must too.
    const usd = { ...metric('2026-11-19', 'purchase', 3, 3, '31.0000'), currency: 'USD' }
    const history = [metric('2026-11-19', 'purchase', 50, 40, '900.0000'), usd]
    const { markdown } = renderBusinessReport(input({}, { history }))
    expect(markdown).toContain('| Purchases | 200 | 53 |')
  })
})

describe('what was refused', () => {
  const counts = [
    { app: 'shop', code: 'undeclared_property', count: 7000 },
    { app: 'shop', code: 'unknown_event', count: 30 },
    { app: 'shop', code: 'corrupt_record', count: 4 },
    { app: 'shop', code: 'email', count: 2 },
  ]

  it('is told apart: events that are not stored, and fields left out of those that are', () => {
    const { markdown } = renderBusinessReport(input({}, { rejected: { counts, complete: true } }))
    const events = markdown.slice(
      markdown.indexOf('## Rejected events'),
      markdown.indexOf('## Fields left out'),
    )
    const fields = markdown.slice(markdown.indexOf('## Fields left out'))
    expect(events).toContain('| shop | unknown_event | 30 |\n| shop | corrupt_record | 4 |\n| All |  | 34 |')
    expect(fields).toContain(
      '| shop | undeclared_property | 7,000 |\n| shop | email | 2 |\n| All |  | 7,002 |',
    )
    expect(events).toContain('by the day on which they arrived')
  })

  it('is no complete 0 where the topic no longer has it', () => {
    const rejected = { counts: [], complete: false }
    const { markdown, text } = renderBusinessReport(input({}, { rejected }))
    expect(markdown).toContain('| All |  | – |')
    expect(text).toContain('reasons are kept for seven days')
    const some = renderBusinessReport(input({}, { rejected: { counts, complete: false } }))
    expect(some.markdown).toContain('| All |  | at least 34 |')
  })
})
