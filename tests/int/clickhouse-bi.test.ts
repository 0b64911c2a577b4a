import { afterAll, beforeAll, expect, test } from 'vitest'
import { aggregateDay } from '../../clickhouse/aggregate-day.ts'
import { type ClickHouseClient, createClickHouse } from '../../clickhouse/client.ts'
import { DAY_MARTS } from '../../clickhouse/day-marts.ts'
import { migrateClickHouse } from '../../clickhouse/migrate.ts'
import { publishDays } from '../../clickhouse/publish-days.ts'
import { swapDay } from '../../clickhouse/swap-day.ts'
import type { EventRow } from '../../schemas/event-row.ts'
import { createStage, type Stage } from '../stage.ts'
import { ask, DAY_MS, insertRows, person, recount, row, withHook } from './clickhouse-rows.ts'

// An analyst may ask anything of `bi`, in any words, and learns nothing of fewer than five people.
const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS
const dayBefore = (days: number) => new Date(TODAY - days * DAY_MS).toISOString().slice(0, 10)
const PAST = dayBefore(4)
const VIEWS = [
  'daily',
  'batch_daily',
  'minute',
  'sessions_daily',
  'click_patterns',
  'products_daily',
  'trends_monthly',
]

let stage: Stage
let admin: ClickHouseClient
let bi: ClickHouseClient
beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await migrateClickHouse(stage.config)
  admin = createClickHouse(stage.config)
  bi = createClickHouse(stage.config, {
    username: 'bi',
    password: process.env.EBB_BI_PASSWORD ?? 'bi',
    database: stage.config.clickhouse.biDatabase,
  })
  await insertRows(admin, [...groups(TODAY - 4 * DAY_MS), ...groups(TODAY)], 'c/1/0/0/1')
  await recount(admin, PAST)
})
afterAll(async () => {
  await bi?.close()
  await admin?.close()
  await stage?.close()
})

/** Groups of 12 and 7 people that may be seen, and of 4, 2 and 1 that may not; the small ones are easy to recognise. */
function groups(at: number): EventRow[] {
  const of = (people: number, fields: Partial<EventRow>) =>
    Array.from({ length: people }, (_, index) =>
      row({ ts: at + index, subject: person(index), session: BigInt(index + 1), ...fields }),
    )
  const purchase = { event: 'purchase', currency: 'EUR' }
  return [
    ...of(12, {}),
    ...of(4, { event: 'hidden_event' }),
    ...of(2, { app: 'hidden_app' }),
    ...of(12, { ...purchase, product: 'sku-many', revenue: 10_0000n }),
    ...of(7, { ...purchase, product: 'sku-some', revenue: 20_0000n }),
    ...of(1, { ...purchase, product: 'hidden-sku', revenue: 77_7777n }),
    ...of(1, { ...purchase, currency: 'CHF', product: 'hidden-sku', revenue: 88_8888n }),
    ...of(12, { event: 'button_click', path: '/', element: 'many' }),
    ...of(7, { event: 'button_click', path: '/', element: 'some' }),
    ...of(4, { event: 'button_click', path: '/hidden', element: 'hidden-button' }),
  ]
}

test('every view shows the large groups and none of the small ones', async () => {
  for (const view of VIEWS) {
    const rows = await ask<{ users: number }>(bi, `SELECT * FROM ${view}`)
    expect(rows.length, view).toBeGreaterThan(0)
    expect(Math.min(...rows.map((shown) => shown.users)), view).toBeGreaterThanOrEqual(5)
    expect(JSON.stringify(rows), view).not.toMatch(/hidden|CHF|77\.7|88\.8/)
  }
})

test('no expression of the reader is evaluated on a hidden row', async () => {
  for (const view of VIEWS) {
    const columns = await ask<{ name: string; type: string }>(
      admin,
      `SELECT name, type FROM system.columns WHERE database = '${stage.config.clickhouse.biDatabase}' AND table = '${view}'`,
    )
    const texts = columns.filter((column) => column.type.includes('String')).map((column) => column.name)
    const attacks = [
      'throwIf(users < 5) = 0',
      'intDiv(1, toInt64(users) - 4) + intDiv(1, toInt64(users) - 2) + intDiv(1, toInt64(users) - 1) >= 0',
      ...texts.map((text) => `throwIf(${text} LIKE '%hidden%' OR ${text} = 'CHF') = 0`),
    ]
    for (const attack of attacks) {
      await ask(bi, `SELECT * FROM ${view} WHERE ${attack}`)
      await ask(bi, `SELECT ${attack} AS x, count() FROM ${view} GROUP BY x HAVING x >= 0 ORDER BY x LIMIT 1`)
    }
  }
})

test('the probe does hit a hidden row where no wall stands', async () => {
  const unwalled = `SELECT app, event, uniqMerge(users) AS people FROM metrics_minute GROUP BY app, event HAVING people >= 5`
  await expect(
    ask(admin, `SELECT * FROM (${unwalled}) WHERE throwIf(event = 'hidden_event') = 0`),
  ).rejects.toThrow()
  expect((await ask(admin, unwalled)).length).toBeGreaterThan(0)
})

test('what is left when shown cells are taken from a total is nothing, or five people and more', async () => {
  const left = await ask<{ app: string; event: string; events: number }>(
    bi,
    `SELECT d.app AS app, d.event AS event, toInt64(d.events) - toInt64(p.events) AS events
     FROM (SELECT app, event, currency, events FROM daily WHERE day = '${PAST}' AND event IN ('purchase', 'button_click')) AS d
     JOIN (
       SELECT app, event, currency, sum(events) AS events FROM products_daily WHERE day = '${PAST}' GROUP BY app, event, currency
       UNION ALL SELECT app, 'button_click', '', sum(clicks) FROM click_patterns WHERE day = '${PAST}' GROUP BY app
     ) AS p USING (app, event, currency)`,
  )
  expect(left.map((each) => each.events)).toEqual([0, 0])
  const products = await ask(
    bi,
    `SELECT product, users, events FROM products_daily WHERE day = '${PAST}' ORDER BY product`,
  )
  // One product is hidden, so the smallest that could be shown goes with it: 7 people's and the one's.
  expect(products).toEqual([
    { product: '(other)', users: 7, events: 8 },
    { product: 'sku-many', users: 12, events: 12 },
  ])
  const [month] = await ask<{ days: number; month: number }>(
    bi,
    `SELECT (SELECT sum(events) FROM daily WHERE final = 1) AS days, (SELECT sum(events) FROM trends_monthly) AS month`,
  )
  expect(month?.month).toBe(month?.days)
})

test('a day past shows what was swapped, not what came since; the live day is rounded', async () => {
  const shown = () => ask(bi, `SELECT * FROM daily WHERE day = '${PAST}' ORDER BY ALL`)
  const before = await shown()
  await insertRows(admin, groups(TODAY - 4 * DAY_MS + 60_000), 'c/1/0/1/2')
  expect(await shown()).toEqual(before)
  expect(before.length).toBeGreaterThan(0)
  const { staged } = await aggregateDay(admin, PAST)
  expect(await shown()).toEqual(before)
  await swapDay(admin, PAST, staged)
  const [views] = await ask<{ events: number }>(
    bi,
    `SELECT events FROM daily WHERE day = '${PAST}' AND event = 'page_view'`,
  )
  expect(views).toEqual({ events: 24 })
  const live = await ask<{ events: number; users: number; sessions: number; final: number }>(
    bi,
    'SELECT * FROM daily WHERE day = today()',
  )
  expect(live.length).toBeGreaterThan(0)
  for (const { events, users, sessions, final } of live) {
    expect([events % 5, users % 5, sessions % 5, final]).toEqual([0, 0, 0, 0])
  }
})

test('a day that is not over is counted, and stays live in every view', async () => {
  const today = dayBefore(0)
  const of = (events: string) => `SELECT sum(events) AS n FROM ${events}`
  const live = () => ask(bi, `SELECT * FROM daily WHERE day = '${today}' ORDER BY ALL`)
  const months = () => ask(bi, 'SELECT * FROM trends_monthly ORDER BY ALL')
  const before = [await live(), await months()]
  expect(await recount(admin, today)).toEqual({ published: false })
  // The next swap of another day must not take today's part into the month either.
  expect(await recount(admin, PAST)).toEqual({ published: true })
  expect([await live(), await months()]).toEqual(before)
  expect(await ask(admin, of(`metrics_batch_daily WHERE day = '${today}'`))).not.toEqual([{ n: 0 }])
  expect(await ask(bi, of(`batch_daily WHERE day = '${today}'`))).toEqual([{ n: 0 }])
})

test('a day is a UTC day, whatever time zone the server or the reader is in', async () => {
  await insertRows(admin, [...groups(TODAY - 2 * DAY_MS), ...groups(TODAY - 3 * DAY_MS)], 'c/1/0/2/3')
  // One of the two is on another date than UTC at any moment.
  for (const zone of ['Etc/GMT+12', 'Pacific/Kiritimati']) {
    const result = await admin.query({
      query: `SELECT DISTINCT day FROM ${stage.config.clickhouse.biDatabase}.daily WHERE final = 0 ORDER BY day`,
      format: 'JSONEachRow',
      clickhouse_settings: { session_timezone: zone },
    })
    expect(await result.json(), zone).toEqual([{ day: dayBefore(2) }, { day: dayBefore(0) }])
  }
})

test('a publication that dies half way leaves the day as it was, through any merge', async () => {
  const views = ['daily', 'batch_daily', 'sessions_daily', 'click_patterns', 'products_daily']
  const shown = () =>
    Promise.all(views.map((view) => ask(bi, `SELECT * FROM ${view} WHERE day = '${PAST}' ORDER BY ALL`)))
  const mergeAll = async () => {
    for (const { shown: mart } of DAY_MARTS)
      await admin.command({ query: `OPTIMIZE TABLE ${mart.table} FINAL` })
    await admin.command({ query: 'OPTIMIZE TABLE published_days FINAL' })
  }
  const before = await shown()
  for (const rows of before) expect(rows.length).toBeGreaterThan(0)
  const seen: unknown[] = []
  const dying = withHook(admin, async (query) => {
    await mergeAll()
    seen.push(await shown())
    if (query.startsWith('INSERT INTO published_days')) throw new Error('died')
  })
  await expect(publishDays(dying, { from: PAST, to: PAST })).rejects.toThrow('died')
  await mergeAll()
  expect([...seen, await shown()]).toEqual(Array(DAY_MARTS.length + 2).fill(before))

  await publishDays(admin, { from: PAST, to: PAST })
  expect(await shown()).toEqual(before)
  // What died and what was replaced is deleted, in the background.
  const versions = () =>
    ask<{ n: number }>(admin, `SELECT uniqExact(version) AS n FROM shown_daily WHERE day = '${PAST}'`)
  await expect.poll(versions, { timeout: 20_000 }).toEqual([{ n: 1 }])
  expect(await shown()).toEqual(before)
})

test('the analysts’ user reads the views and nothing below them', async () => {
  const { database } = stage.config.clickhouse
  for (const table of [
    'events_raw',
    'metrics_batch_daily',
    'sessions',
    'trends_monthly',
    'shown_daily',
    'migrations',
  ]) {
    await expect(ask(bi, `SELECT * FROM ${database}.${table} LIMIT 1`)).rejects.toMatchObject({ code: '497' })
  }
  await expect(bi.command({ query: `INSERT INTO daily SELECT * FROM daily` })).rejects.toThrow()
  await expect(bi.command({ query: `DROP VIEW daily` })).rejects.toThrow()
})

test('every view and column says what it is', async () => {
  const columns = await ask<{ table: string; name: string; comment: string }>(
    bi,
    `SELECT table, name, comment FROM system.columns WHERE database = '${stage.config.clickhouse.biDatabase}'`,
  )
  expect(new Set(columns.map((column) => column.table))).toEqual(new Set(VIEWS))
  expect(columns.filter((column) => column.comment.length < 5)).toEqual([])
})
