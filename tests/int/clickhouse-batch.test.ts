import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aggregateDay } from '../../clickhouse/aggregate-day.ts'
import { type ClickHouseClient, createClickHouse } from '../../clickhouse/client.ts'
import { compareDay } from '../../clickhouse/compare-day.ts'
import { DAY_MARTS, type DayMart } from '../../clickhouse/day-marts.ts'
import { migrateClickHouse } from '../../clickhouse/migrate.ts'
import { readDailyMetrics } from '../../clickhouse/read-daily-metrics.ts'
import { readTrends } from '../../clickhouse/read-trends.ts'
import { swapDay } from '../../clickhouse/swap-day.ts'
import type { StagedDay } from '../../schemas/etl.ts'
import { createStage, type Stage } from '../stage.ts'
import { ask, insertRows, mixedRows, recount, withHook } from './clickhouse-rows.ts'

const DAY = '2026-03-10'
const NEXT = '2026-03-11'

let stage: Stage
let client: ClickHouseClient
beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await migrateClickHouse(stage.config)
  client = createClickHouse(stage.config)
  // 4,000 seconds from 23:30: half an hour on the day, the rest on the next.
  await insertRows(client, mixedRows(4_000, Date.UTC(2026, 2, 10, 23, 30)), 'c/1/0/0/4000')
})
afterAll(async () => {
  await client?.close()
  await stage?.close()
})

test('the recount of a day equals the live metrics, row by row', async () => {
  const aggregate = await aggregateDay(client, DAY)
  expect(aggregate).toMatchObject({ events: 1_800, apps: 2 })
  await swapDay(client, DAY, aggregate.staged)
  const comparison = await compareDay(client, DAY)
  expect(comparison).toMatchObject({
    batchEvents: 1_800,
    streamEvents: 1_800,
    differingRows: 0,
    differences: [],
  })
  expect(comparison.batchRows).toBe(aggregate.rows)
  const batch = await readDailyMetrics(client, { from: DAY, to: DAY })
  expect(batch).toEqual(await readDailyMetrics(client, { from: DAY, to: DAY, source: 'stream' }))
  expect(batch.find((row) => row.currency === 'JPY')?.revenue).toMatch(/^\d+\.\d{4}$/)
})

test('running a day twice changes nothing', async () => {
  const published = () => readDailyMetrics(client, { from: DAY, to: NEXT })
  const before = await published()
  const { staged } = await aggregateDay(client, DAY)
  expect(await published()).toEqual(before)
  await swapDay(client, DAY, staged)
  await swapDay(client, DAY, staged)
  expect(await published()).toEqual(before)
})

test('a drift is found and named, in either direction', async () => {
  await recount(client, NEXT)
  await client.command({
    query: `INSERT INTO metrics_streaming_daily
            SELECT app, day, 'ghost', currency, events, users, sessions, revenue FROM metrics_streaming_daily
            WHERE day = '${NEXT}' AND event = 'screen' AND app = 'kids' LIMIT 1`,
  })
  await client.command({
    query: `INSERT INTO metrics_batch_daily SELECT * REPLACE ('phantom' AS event) FROM metrics_batch_daily
            WHERE day = '${NEXT}' AND metrics_batch_daily.event = 'screen' AND app = 'kids'`,
  })
  const comparison = await compareDay(client, NEXT)
  expect(comparison.differingRows).toBe(2)
  expect(
    comparison.differences.map((row) => [row.event, row.batch === null, row.stream === null]).sort(),
  ).toEqual([
    ['ghost', true, false],
    ['phantom', false, true],
  ])
  expect((await compareDay(client, NEXT, 1)).differences).toHaveLength(1)
})

/** What an attempt that was given up as dead, and is not, may do to a staging table at any moment. */
const ZOMBIES: Record<string, (mart: DayMart) => Promise<unknown>> = {
  'fills it a second time': ({ staging }) =>
    client.command({ query: `INSERT INTO ${staging} SELECT * FROM ${staging} WHERE day = '${DAY}'` }),
  'has emptied it and not filled it yet': ({ staging }) =>
    client.command({ query: `ALTER TABLE ${staging} DROP PARTITION '${DAY}'` }),
  'fills it with what it had counted earlier': async ({ table, staging }) => {
    await client.command({ query: `ALTER TABLE ${staging} DROP PARTITION '${DAY}'` })
    await client.command({
      query: `INSERT INTO ${staging} SELECT * REPLACE (users + 1 AS users) FROM ${table} WHERE day = '${DAY}'`,
    })
  },
}

describe.each(Object.entries(ZOMBIES))('a day whose staging another attempt %s', (_, meddle) => {
  const served = () =>
    Promise.all(
      DAY_MARTS.map(({ table, shown }) =>
        ask(client, `SELECT ${shown.columns} FROM ${table} WHERE day = '${DAY}' ORDER BY ALL`),
      ),
    )

  test.each(DAY_MARTS.map((mart) => [mart.staging, mart] as const))(
    'in %s is not served',
    async (__, mart) => {
      const { staged } = await aggregateDay(client, DAY)
      await swapDay(client, DAY, staged)
      const before = await served()
      await meddle(mart)
      await expect(swapDay(client, DAY, staged)).rejects.toMatchObject({ code: 'staging_dirty' })
      expect(await served()).toEqual(before)
    },
  )

  test('while it is swapped is not published, and the next count mends it', async () => {
    const publications = () =>
      ask(client, `SELECT max(version) AS v FROM published_days WHERE day = '${DAY}'`)
    for (const mart of DAY_MARTS) {
      const { staged } = await recountAndKeep()
      const before = await publications()
      const met = withHook(client, async (query) => {
        if (query.startsWith(`ALTER TABLE ${mart.table} REPLACE`)) await meddle(mart)
      })
      await expect(swapDay(met, DAY, staged)).rejects.toThrow()
      expect(await publications()).toEqual(before)
    }
    await recount(client, DAY)
    expect((await compareDay(client, DAY)).differingRows).toBe(0)
  })
})

async function recountAndKeep(): Promise<{ staged: StagedDay }> {
  const { staged } = await aggregateDay(client, DAY)
  await swapDay(client, DAY, staged)
  return { staged }
}

test('a count that another attempt fills or empties beside it says so', async () => {
  for (const mart of DAY_MARTS) {
    const emptied = withHook(client, async (query) => {
      // Ahead of the insert below its own: the mart has just been filled, or is filled next.
      if (query.startsWith('INSERT INTO metrics_batch_staging')) {
        await client.command({ query: `ALTER TABLE ${mart.staging} DROP PARTITION '${DAY}'` })
      }
    })
    const filled = withHook(client, async (query) => {
      if (!query.startsWith(`INSERT INTO ${mart.staging}`)) return
      await client.command({
        query: `INSERT INTO ${mart.staging} SELECT * FROM ${mart.table} WHERE day = '${DAY}'`,
      })
    })
    if (mart.table !== 'metrics_batch_daily') {
      await expect(aggregateDay(emptied, DAY), mart.table).rejects.toMatchObject({ code: 'staging_busy' })
    }
    await expect(aggregateDay(filled, DAY), mart.table).rejects.toMatchObject({ code: 'staging_busy' })
  }
  expect(await recount(client, DAY)).toEqual({ published: true })
})

test('a swap that nobody says the counts of serves nothing', async () => {
  await aggregateDay(client, DAY)
  await expect(swapDay(client, DAY, undefined)).rejects.toMatchObject({ code: 'staging_dirty' })
})

test('a day without events is published as empty, and one that lost its events too', async () => {
  const { staged, ...counts } = await aggregateDay(client, '2026-01-01')
  expect(counts).toEqual({ rows: 0, events: 0, apps: 0 })
  await swapDay(client, '2026-01-01', staged)
  expect(await compareDay(client, '2026-01-01')).toMatchObject({
    batchRows: 0,
    streamRows: 0,
    differingRows: 0,
  })
  await client.command({
    query: `INSERT INTO metrics_batch_daily SELECT * REPLACE (toDate('2026-01-01') AS day) FROM metrics_batch_daily LIMIT 3`,
  })
  await swapDay(client, '2026-01-01', staged)
  expect(await readDailyMetrics(client, { from: '2026-01-01', to: '2026-01-01' })).toEqual([])
})

test('the months count people once, however many days they came', async () => {
  await recount(client, NEXT)
  const trends = await readTrends(client, { from: '2026-03', to: '2026-03' })
  const [raw] = await ask<{ events: number; users: number; sessions: number }>(
    client,
    `SELECT count() AS events, uniq(subject) AS users, uniqIf(session, session != 0) AS sessions FROM events_raw
     WHERE app = 'shop' AND event = 'page_view'`,
  )
  expect(trends.find((row) => row.app === 'shop' && row.event === 'page_view')).toMatchObject({
    ...raw,
    days: 2,
  })
})

test('what is not a day is refused before it reaches a statement', async () => {
  for (const day of ["2026-01-01' OR 1", '2026-02-30', 'yesterday', '']) {
    await expect(aggregateDay(client, day)).rejects.toMatchObject({ code: 'bad_day' })
    await expect(swapDay(client, day, {})).rejects.toMatchObject({ code: 'bad_day' })
    await expect(compareDay(client, day)).rejects.toMatchObject({ code: 'bad_day' })
  }
  await expect(readTrends(client, { from: '2026-13', to: '2026-13' })).rejects.toMatchObject({
    code: 'bad_month',
  })
})
