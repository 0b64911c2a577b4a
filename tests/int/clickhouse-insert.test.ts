import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type ClickHouseClient, createClickHouse } from '../../clickhouse/client.ts'
import { migrateClickHouse } from '../../clickhouse/migrate.ts'
import { findSeenBatches, insertSeenBatches, readSeenBatches } from '../../clickhouse/seen-batches.ts'
import { encodeRows } from '../../gate/row-binary.ts'
import { createStage, type Stage } from '../stage.ts'
import { ask, DAY_MS, differingViews, insertRows, mixedRows } from './clickhouse-rows.ts'

// Exactly once holds in the raw table and in everything that is fed from it, or it does not hold.
const TABLES = ['events_raw', 'metrics_minute', 'metrics_streaming_daily', 'sessions', 'click_patterns']
const START = Date.now() - 2 * DAY_MS

let stage: Stage
let client: ClickHouseClient
beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await migrateClickHouse(stage.config)
  client = createClickHouse(stage.config)
})
afterAll(async () => {
  await client?.close()
  await stage?.close()
})
beforeEach(async () => {
  for (const table of TABLES) await client.command({ query: `TRUNCATE TABLE ${table}` })
})

const count = async () => (await ask<{ n: number }>(client, 'SELECT count() AS n FROM events_raw'))[0]?.n

test('a repeated cut counts once, in the raw table and in the target of every view', async () => {
  const rows = mixedRows(600, START)
  for (let time = 0; time < 3; time++) await insertRows(client, rows, 'c/1/0/0/600')
  expect(await count()).toBe(600)
  expect(await differingViews(client)).toEqual([])
})

test('a repeat with fewer rows, or others, adds nothing: the token decides', async () => {
  await insertRows(client, mixedRows(300, START), 'c/1/0/600/900')
  await insertRows(client, mixedRows(200, START), 'c/1/0/600/900')
  await insertRows(client, mixedRows(300, START - 5 * DAY_MS), 'c/1/0/600/900')
  expect(await differingViews(client)).toEqual([])
  const [older] = await ask<{ n: number }>(
    client,
    `SELECT count() AS n FROM events_raw WHERE ts < now() - INTERVAL 4 DAY`,
  )
  expect(older?.n).toBe(0)
})

test('a cut over two months is repeated after others and still counts once', async () => {
  const across = [...mixedRows(100, START - 40 * DAY_MS), ...mixedRows(300, START)]
  await insertRows(client, across, 'c/1/0/900/1000')
  for (let cut = 0; cut < 5; cut++)
    await insertRows(client, mixedRows(50, START + cut), `c/1/0/${1000 + cut}/x`)
  await insertRows(client, across, 'c/1/0/900/1000')
  expect(await count()).toBe(650)
  expect(await differingViews(client)).toEqual([])
})

test('a cut that failed in one view is repaired by its repeat in all', async () => {
  await client.command({
    query: `CREATE TABLE broken_target (n UInt64) ENGINE = MergeTree ORDER BY n`,
  })
  // Views run in no promised order: some targets have the block when this one throws, some do not.
  await client.command({
    query: `CREATE MATERIALIZED VIEW broken TO broken_target AS SELECT throwIf(count() > 0) AS n FROM events_raw`,
  })
  const rows = mixedRows(400, START)
  await expect(insertRows(client, rows, 'c/1/0/2000/2400')).rejects.toMatchObject({
    code: 'clickhouse_failed',
  })
  await client.command({ query: 'DROP VIEW broken' })
  await client.command({ query: 'DROP TABLE broken_target' })
  await insertRows(client, rows, 'c/1/0/2000/2400')
  await insertRows(client, rows, 'c/1/0/2000/2400')
  expect(await count()).toBe(400)
  expect(await differingViews(client)).toEqual([])
})

test('the recount sees a view that counted a repeat', async () => {
  await insertRows(client, mixedRows(100, START), 'c/1/0/3000/3100')
  await client.command({
    query: 'INSERT INTO click_patterns SELECT * FROM click_patterns LIMIT 1',
  })
  expect(await differingViews(client)).toEqual(['click_patterns'])
})

test('200,000 rows stay one block', async () => {
  await insertRows(client, mixedRows(200_000, Date.UTC(2026, 4, 2), 5_000), 'c/1/0/4000/5000')
  expect(await count()).toBe(200_000)
  const [parts] = await ask<{ n: number }>(
    client,
    `SELECT count() AS n FROM system.parts WHERE database = currentDatabase() AND table = 'events_raw' AND active`,
  )
  expect(parts?.n).toBe(1)
  expect(await differingViews(client)).toEqual([])
})

test('every row says which partition and cut it came with', async () => {
  await insertRows(client, mixedRows(40, START), 'c/1/7/0/40', { partition: 7, cutEnd: 40n })
  await insertRows(client, mixedRows(60, START), 'c/1/7/40/90', { partition: 7, cutEnd: 90n })
  await insertRows(client, mixedRows(20, START), 'c/1/2/0/x', {
    partition: 2,
    cutEnd: 9_007_199_254_740_993n,
  })
  const cuts = await ask(
    client,
    `SELECT partition, toString(cut_end) AS cutEnd, count() AS rows FROM events_raw WHERE cut_end > 0
     GROUP BY partition, cut_end ORDER BY rows`,
  )
  expect(cuts).toEqual([
    { partition: 2, cutEnd: '9007199254740993', rows: 20 },
    { partition: 7, cutEnd: '40', rows: 40 },
    { partition: 7, cutEnd: '90', rows: 60 },
  ])
})

test('rows of a joint cut say how far each partition was, and other rows nothing', async () => {
  const joint = { partition: 65_535, cutEnd: 12n }
  await insertRows(client, mixedRows(30, START), 'c/1/0+0/0:1:9,1:3:3/0:9,1:3', joint)
  await insertRows(client, mixedRows(40, START), 'c/1/0/7/0/40', { partition: 7, cutEnd: 40n })
  await client.command({ query: 'OPTIMIZE TABLE events_raw FINAL' })
  expect(
    await ask(client, 'SELECT partition, cut, count() AS rows FROM events_raw GROUP BY ALL ORDER BY rows'),
  ).toEqual([
    { partition: 65_535, cut: '0:9,1:3', rows: 30 },
    { partition: 7, cut: '', rows: 40 },
  ])
})

test('a body that is not what its format says stores nothing and says so', async () => {
  const body = encodeRows(mixedRows(50, START))
  const cut = { rows: body.subarray(0, body.length - 5) }
  await expect(insertRows(client, [], 'c/1/0/6000/6050', cut)).rejects.toMatchObject({ code: 'bad_rows' })
  await expect(insertRows(client, [], 'c/1/0/6000/6050', { rows: body, format: 99 })).rejects.toMatchObject({
    code: 'unknown_format',
  })
  expect(await count()).toBe(0)
})

test('an insert after its deadline is refused, by us and by the development server', async () => {
  const late = { deadlineMs: Date.now() - 1 }
  await expect(insertRows(client, mixedRows(10, START), 'c/1/0/7000/7010', late)).rejects.toMatchObject({
    code: 'deadline_passed',
  })
  expect(await count()).toBe(0)
})

test('seen batches are found by their lowest offset', async () => {
  const [one, two] = [Buffer.alloc(16, 1), Buffer.alloc(16, 0xff)]
  const at = Date.now()
  await insertSeenBatches(client, [{ partition: 1, offset: 9n, hash: one, at }], 'seen/9')
  await insertSeenBatches(client, [{ partition: 1, offset: 5n, hash: one, at }], 'seen/5')
  await insertSeenBatches(client, [{ partition: 2, offset: 1n, hash: one, at }], 'seen/2/1')
  for (let time = 0; time < 2; time++) {
    await insertSeenBatches(client, [{ partition: 1, offset: 2n ** 60n, hash: two, at }], 'seen/big')
  }
  expect(await findSeenBatches(client, 1, [one, two, Buffer.alloc(16, 3)])).toEqual(
    new Map([
      [one.toString('hex'), 5n],
      [two.toString('hex'), 2n ** 60n],
    ]),
  )
  const all = []
  for await (const batches of readSeenBatches(client, 1, at - 1_000)) all.push(...batches)
  expect(all).toHaveLength(3)
  expect(all).toContainEqual({ partition: 1, offset: 2n ** 60n, hash: two, at })
})
