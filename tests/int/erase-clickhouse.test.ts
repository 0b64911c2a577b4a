import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readAffectedDays } from '../../clickhouse/affected-days.ts'
import { type ClickHouseClient, createClickHouse } from '../../clickhouse/client.ts'
import { countSubjectRows } from '../../clickhouse/count-subject-rows.ts'
import { eraseSubjects, type TableDeletion } from '../../clickhouse/erase-subjects.ts'
import { putTokens } from '../../clickhouse/erase-tokens.ts'
import { findErasureResidues } from '../../clickhouse/find-erasure-residues.ts'
import { readLiveAggregates } from '../../clickhouse/live-aggregates.ts'
import { migrateClickHouse } from '../../clickhouse/migrate.ts'
import {
  type Rederived,
  rederiveAggregates,
  type WithIngestHeld,
} from '../../clickhouse/rederive-aggregates.ts'
import { republishDays } from '../../clickhouse/republish-days.ts'
import { createStage, type Stage } from '../stage.ts'
import { ask, differingViews, insertRows, mixedRows, person, recount, withHook } from './clickhouse-rows.ts'

const DAYS = ['2026-10-31', '2026-11-01']
const unheld: WithIngestHeld = (work) => work(() => Number.POSITIVE_INFINITY)
const token = (name: number) => Buffer.from(person(name))
const rederive = (on: ClickHouseClient = client) =>
  rederiveAggregates({ clickhouse: on, withIngestHeld: unheld })

vi.setConfig({ testTimeout: 180_000 })

let stage: Stage
let client: ClickHouseClient
let inserts = 0
beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await migrateClickHouse(stage.config)
  client = createClickHouse(stage.config)
})

/** Nobody's rows but fresh ones. */
async function seed(): Promise<void> {
  for (const { name } of await ask<{ name: string }>(
    client,
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'migrations'`,
  ))
    await client.command({ query: `TRUNCATE TABLE ${name}` })
  // 4,000 seconds from 23:30 of the last day of a month: two days, two partitions. And an hour that metrics_minute still has.
  await insert(mixedRows(4_000, Date.UTC(2026, 9, 31, 23, 30)))
  await insert(mixedRows(1_000, Date.now() - 3_600_000))
  for (const day of DAYS) await recount(client, day)
}
afterAll(async () => {
  await client?.close()
  await stage?.close()
})

async function insert(rows: ReturnType<typeof mixedRows>): Promise<void> {
  inserts++
  await insertRows(client, rows, `c/1/0/0/${inserts}`)
}

/** Rows of the batch tables that are not what raw says, in either direction. */
async function wrongBatchRows(): Promise<number> {
  const raw = `SELECT app, toDate(ts) AS day, event, currency, count() AS n, uniq(subject) AS u, uniqIf(session, session != 0) AS s,
    hex(uniqState(subject)) AS h FROM events_raw WHERE toDate(ts) IN ('2026-10-31', '2026-11-01') GROUP BY app, day, event, currency`
  const batch = `SELECT app, day, event, currency, events, users, sessions, hex(users_state) FROM metrics_batch_daily`
  const [row] = await ask<{ n: number }>(
    client,
    `SELECT count() AS n FROM ((${raw}) EXCEPT (${batch}) UNION ALL ((${batch}) EXCEPT (${raw})))`,
  )
  return row?.n ?? -1
}

const shown = () =>
  Promise.all(
    [
      'daily WHERE final',
      'batch_daily',
      'sessions_daily',
      'click_patterns',
      'products_daily',
      'trends_monthly',
    ].map((view) => ask(client, `SELECT * FROM ${stage.config.clickhouse.biDatabase}.${view} ORDER BY ALL`)),
  )

const rowsOfEach = () =>
  ask<{ s: string }>(client, `SELECT hex(subject) AS s, count() FROM events_raw GROUP BY s ORDER BY s`)

describe('three people of one batch', () => {
  const tokens = [token(1), token(2), token(3)]
  const lookNow = async () => ({
    rows: await rowsOfEach(),
    shown: await shown(),
    residues: await findErasureResidues(client, tokens),
    differing: await differingViews(client),
    wrongBatch: await wrongBatchRows(),
  })
  type Look = Awaited<ReturnType<typeof lookNow>>
  let start: Look
  /** When their rows were gone. */
  let erased: Look
  /** When their days were counted again. */
  let recounted: Look
  let deletions: TableDeletion[]
  let rederived: Rederived

  beforeAll(async () => {
    await seed()
    expect(await countSubjectRows(client, token(1))).toMatchObject({ events_raw: expect.any(Number) })
    start = await lookNow()
    deletions = await eraseSubjects(client, randomUUID(), tokens)
    erased = await lookNow()
    rederived = await rederive()
    recounted = await lookNow()
  }, 300_000)

  test('a batch is erased by one mutation a table, its old parts leave the disk, and nothing is left of it', async () => {
    expect(deletions.map(({ table, mutations }) => [table, mutations.length])).toEqual([
      ['events_raw', 1],
      ['sessions', 1],
    ])
    for (const { partsBefore, partsAfter } of deletions) {
      expect(partsBefore.length).toBeGreaterThanOrEqual(2)
      expect(partsAfter).toHaveLength(partsBefore.length)
      expect(partsAfter.filter((part) => partsBefore.includes(part))).toEqual([])
    }
    for (const one of tokens) expect(await countSubjectRows(client, one)).toEqual({})
    const gone = new Set(tokens.map((one) => one.toString('hex').toUpperCase()))
    expect(erased.rows).toEqual(start.rows.filter(({ s }) => !gone.has(s)))
    expect(start.rows.length).toBe(erased.rows.length + tokens.length)
    expect(erased.residues).toEqual([
      { kind: 'days not counted again', where: expect.stringContaining('erase_days/') },
    ])
    expect(recounted.residues).toEqual([])
  })

  test('aggregates of the touched days agree with raw again, states included, and the days are forgotten', async () => {
    expect(erased.differing).toEqual(['metrics_minute', 'metrics_streaming_daily', 'click_patterns'])
    expect(erased.wrongBatch).toBeGreaterThan(0)
    const { days, partitions } = rederived
    expect(new Set(days.map(({ day }) => day))).toEqual(
      new Set([
        ...DAYS,
        new Date(Date.now() - 3_600_000).toISOString().slice(0, 10),
        ...days.map((d) => d.day),
      ]),
    )
    expect(partitions).toContain('metrics_streaming_daily/202610')
    expect(partitions).toContain('products_batch_daily/20261101')
    expect(recounted.differing).toEqual([])
    expect(recounted.wrongBatch).toBe(0)
    expect(await ask(client, 'SELECT * FROM metrics_batch_staging')).toEqual([])
    expect(await readAffectedDays(client)).toEqual([])
  })

  test('what analysts see of past days does not change before the daily swap, and then it does', async () => {
    expect(recounted.shown).toEqual(start.shown)
    expect(await republishDays(client, [...DAYS, '2026-01-01'])).toEqual(DAYS)
    const after = await shown()
    for (const [view, rows] of after.entries()) expect(rows, `view ${view}`).not.toEqual(start.shown[view])
    expect(await ask(client, `SELECT sum(events) AS n FROM shown_daily`)).toEqual(
      await ask(client, `SELECT sum(events) AS n FROM metrics_batch_daily WHERE users >= 5`),
    )
  })
})

test('the live tables that are counted again are those that the views fill', async () => {
  const live = await readLiveAggregates(client)
  expect(live.map(({ table }) => table).sort()).toEqual([
    'click_patterns',
    'metrics_minute',
    'metrics_streaming_daily',
  ])
})

test('only the days of apps that were touched are counted again; the others are carried over as they are', async () => {
  await seed()
  // A drift in an app and day that nobody erased must stay for the daily ETL to find.
  const lone = person('lone')
  await insert(mixedRows(40, Date.UTC(2026, 9, 5)).map((one) => ({ ...one, app: 'blog', subject: lone })))
  await insert(mixedRows(40, Date.UTC(2026, 9, 6)).map((one) => ({ ...one, app: 'blog' })))
  await client.command({
    query: `INSERT INTO metrics_streaming_daily SELECT * REPLACE ('ghost' AS event) FROM metrics_streaming_daily WHERE app = 'blog' AND day = '2026-10-06' LIMIT 1`,
  })
  const ghosts = () =>
    ask(
      client,
      `SELECT app, day, sum(events) AS n FROM metrics_streaming_daily WHERE event = 'ghost' GROUP BY ALL`,
    )
  const before = await ghosts()
  await eraseSubjects(client, randomUUID(), [Buffer.from(lone)])
  expect((await rederive()).days).toEqual([{ app: 'blog', day: '2026-10-05' }])
  expect(await ghosts()).toEqual(before)
  expect(before).toHaveLength(1)
  expect(
    await ask(
      client,
      `SELECT count() AS n FROM metrics_streaming_daily WHERE app = 'blog' AND day = '2026-10-05'`,
    ),
  ).toEqual([{ n: 0 }])
})

/** Statements ahead of which a run dies, one of each step of the deletion and of the recount. */
const DELETION_DEATHS = [
  'INSERT INTO erase_days',
  'ALTER TABLE sessions DELETE',
  'ALTER TABLE erase_tokens DROP',
]
const RECOUNT_DEATHS = [
  'ALTER TABLE clicks_batch_daily REPLACE',
  'INSERT INTO rederive_click_patterns',
  'ALTER TABLE metrics_streaming_daily REPLACE',
  'ALTER TABLE erase_days DROP',
]

/** A client whose run dies ahead of a statement that begins so. */
const dying = (death: string) =>
  withHook(client, async (query) => {
    if (query.startsWith(death)) throw new Error('killed')
  })

test('a run that dies at any step is finished by the next, which finds its mutation', async () => {
  await seed()
  const batches = DELETION_DEATHS.map((death, index) => ({
    death,
    batch: randomUUID(),
    tokens: [token(10 + index)],
  }))
  for (const { death, batch, tokens } of batches) {
    await expect(eraseSubjects(dying(death), batch, tokens), death).rejects.toThrow('killed')
    await eraseSubjects(client, batch, tokens)
    const mutations = await ask(
      client,
      `SELECT table, count() AS n FROM system.mutations WHERE database = currentDatabase() AND command LIKE '%${batch}%' GROUP BY table ORDER BY table`,
    )
    expect(mutations, death).toEqual([
      { table: 'events_raw', n: 1 },
      { table: 'sessions', n: 1 },
    ])
  }
  // The next run gets beyond where the last one died, and finds again what it needs for that.
  for (const death of RECOUNT_DEATHS) {
    await expect(rederive(dying(death)), death).rejects.toThrow('killed')
    const waiting = (await readAffectedDays(client)).map(({ batch }) => batch)
    expect(new Set(waiting), death).toEqual(new Set(batches.map(({ batch }) => batch)))
  }
  await rederive()
  for (const { death, tokens } of batches)
    expect(await findErasureResidues(client, tokens), death).toEqual([])
  expect(await differingViews(client)).toEqual([])
  expect(await wrongBatchRows()).toBe(0)
})

test('a run that was given up is finished by the next batch of the same people, under another id', async () => {
  await seed()
  for (const [index, death] of DELETION_DEATHS.entries()) {
    const tokens = [token(20 + index)]
    await expect(eraseSubjects(dying(death), randomUUID(), tokens), death).rejects.toThrow('killed')
    await eraseSubjects(client, randomUUID(), tokens)
    await rederive()
    expect(await findErasureResidues(client, tokens), death).toEqual([])
  }
})

test('a run that goes on for too long leaves the tokens of a batch that began later; a restore and a batch leave each other’s', async () => {
  await seed()
  const batches = async () => {
    const rows = await ask(client, 'SELECT DISTINCT batch FROM erase_tokens ORDER BY batch')
    return rows.map((row) => (row as { batch: string }).batch)
  }
  const [slow, later] = [randomUUID(), randomUUID()]
  const restore = `${randomUUID()}-restore`
  const hooked = withHook(client, async (query) => {
    if (query.startsWith(`ALTER TABLE erase_tokens DROP PARTITION '${slow}'`))
      await putTokens(client, later, [token(31)])
  })
  await putTokens(client, restore, [token(32)])
  await eraseSubjects(hooked, slow, [token(30)])
  expect(await batches()).toEqual([later, restore].sort())
  await eraseSubjects(client, `${randomUUID()}-restore`, [token(33)])
  expect(await batches()).toEqual([later, restore].sort())
  await client.command({ query: 'TRUNCATE TABLE erase_tokens' })
})

test('a recount of a restore and one of the batches leave each other’s days', async () => {
  await seed()
  const [batch, restore] = [randomUUID(), `${randomUUID()}-restore`]
  await eraseSubjects(client, batch, [token(35)])
  await eraseSubjects(client, restore, [token(36)])
  const waiting = async () => [...new Set((await readAffectedDays(client)).map((row) => row.batch))].sort()
  expect(await waiting()).toEqual([batch, restore].sort())
  await rederive()
  expect(await waiting()).toEqual([restore])
  await rederiveAggregates({
    clickhouse: client,
    only: restore,
    withIngestHeld: (work) => work(() => 60_000),
  })
  expect(await waiting()).toEqual([])
  expect(await differingViews(client)).toEqual([])
})

test('a batch whose tokens somebody takes away has deleted nothing, and says so', async () => {
  await seed()
  const hooked = withHook(client, async (query) => {
    if (query.startsWith('ALTER TABLE events_raw DELETE'))
      await client.command({ query: 'TRUNCATE TABLE erase_tokens' })
  })
  const [batch, tokens] = [randomUUID(), [token(34)]]
  await expect(eraseSubjects(hooked, batch, tokens)).rejects.toMatchObject({ code: 'rows_remain' })
  await eraseSubjects(client, batch, tokens)
  await rederive()
  expect(await findErasureResidues(client, tokens)).toEqual([])
})

test('each residue is seen when its purge is taken out', async () => {
  await seed()
  const tokens = [token(4)]
  await putTokens(client, randomUUID(), tokens)
  await client.command({
    query: `ALTER TABLE events_raw FREEZE WITH NAME '${stage.config.clickhouse.database}'`,
  })
  await client.command({ query: `ALTER TABLE sessions DETACH PARTITION ID '202610'` })
  await client.command({ query: 'CREATE TABLE rederive_click_patterns AS click_patterns' })
  await client.command({
    query: `ALTER TABLE events_raw DELETE WHERE subject = unhex('${tokens[0]!.toString('hex')}') AND throwIf(_partition_id = '202610')`,
    clickhouse_settings: { mutations_sync: '0' },
  })
  const kinds = async () => new Set((await findErasureResidues(client, tokens)).map(({ kind }) => kind))
  const seen = await kinds()
  for (const kind of [
    'rows',
    'token in the helper table',
    'detached part',
    'frozen part',
    'helper of a recount',
    'token in a mutation',
    'unfinished mutation',
  ])
    expect(seen).toContain(kind)
  await client.command({ query: `KILL MUTATION WHERE database = currentDatabase() AND table = 'events_raw'` })
  await client.command({ query: 'TRUNCATE TABLE erase_tokens' })
  await eraseSubjects(client, randomUUID(), tokens)
  await rederive()
  expect(await kinds()).toEqual(new Set())
})

/** A writer that nobody stopped: rows of everyone come after a deletion has begun, so many times. */
function withWriter(times: number): ClickHouseClient {
  let left = times
  return withHook(client, async (query) => {
    if (query.startsWith('ALTER TABLE events_raw DELETE') && left-- > 0)
      setTimeout(() => insert(mixedRows(1_000, Date.UTC(2026, 9, 31, 23, 30))), 5)
  })
}

test('rows that come late are deleted too; a writer that goes on, and parts that stay, stop the receipt', async () => {
  await seed()
  await eraseSubjects(withWriter(1), randomUUID(), [token(5)])
  expect(await countSubjectRows(client, token(5))).toEqual({})
  await expect(eraseSubjects(client, randomUUID(), [token(6)], { patienceMs: -1 })).rejects.toMatchObject({
    code: expect.stringMatching(/^(rows|parts)_remain$/),
  })
})

test('a batch that is not a UUID never reaches a statement', async () => {
  await expect(eraseSubjects(client, `x' OR 1 --`, [token(1)])).rejects.toMatchObject({
    code: 'batch_unknown',
  })
})

/**
 * A part that loses all its rows loses its line in the deduplication log. What closes it is not here: no cut from before the
 * revocations is open any more when an erasure begins (the barrier), and later ones leave the revoked out.
 */
test('a cut that is repeated after its rows were erased would come back: hence the barrier before, and the filter', async () => {
  const rows = mixedRows(20, Date.UTC(2026, 2, 1)).map((one) => ({ ...one, subject: person('alone') }))
  await insertRows(client, rows, 'c/9/0/0/20')
  await eraseSubjects(client, randomUUID(), [Buffer.from(person('alone'))])
  await insertRows(client, rows, 'c/9/0/0/20')
  expect(await countSubjectRows(client, Buffer.from(person('alone')))).toMatchObject({ events_raw: 20 })
})
