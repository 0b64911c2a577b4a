import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectEtl, type EtlClient } from '../../cli/run-etl.ts'
import { type ClickHouseClient, createClickHouse } from '../../clickhouse/client.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Alert } from '../../schemas/etl.ts'
import { ensureSchedules } from '../../workers/temporal/ensure-schedules.ts'
import { startTemporalWorker, type TemporalWorker } from '../../workers/temporal/start-worker.ts'
import { dailyEtlScheduleId, dailyEtlWorkflowId } from '../../workers/temporal/workflow-ids.ts'
import { insertRaw, makeDay } from '../seed-day.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let clickhouse: ClickHouseClient
let worker: TemporalWorker
let etl: EtlClient
let reportsFolder: string

beforeAll(async () => {
  stage = await createStage()
  reportsFolder = await mkdtemp(join(tmpdir(), 'ebb-reports-'))
  const { config } = stage
  clickhouse = createClickHouse(config)
  worker = await startTemporalWorker({
    config,
    logger: createLogger('test', 'error'),
    metrics: createMetrics('test'),
    reportsFolder,
  })
  etl = await connectEtl(config)
})

afterAll(async () => {
  await etl?.close()
  await worker?.stop()
  await clickhouse?.close()
  await rm(reportsFolder, { recursive: true, force: true })
  await stage?.close()
})

/** The served rows of a day, states and all, as one text. */
async function servedRows(day: string): Promise<string> {
  const result = await clickhouse.query({
    query: `SELECT *, hex(users_state) AS u, hex(sessions_state) AS s, '' AS users_state, '' AS sessions_state
            FROM metrics_batch_daily WHERE day = {day:Date} ORDER BY app, event, currency`,
    query_params: { day },
    format: 'TabSeparated',
  })
  return await result.text()
}

async function readAlerts(day: string): Promise<Alert[]> {
  const text = await readFile(join(reportsFolder, 'alerts.jsonl'), 'utf8').catch(() => '')
  const alerts = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Alert)
  return alerts.filter((alert) => alert.day === day)
}

describe('the daily ETL on the real engines', () => {
  it('counts a day from raw, and batch equals stream in every row', async () => {
    const events = makeDay('2026-11-10', 60)
    await insertRaw(clickhouse, events)
    const result = await etl.run('2026-11-10')
    expect(result).toMatchObject({ events: events.length, driftedCount: 0, drifted: [] })
    expect(result.rows).toBe(6)
    expect(result.equal).toBe(6)
    expect(await readAlerts('2026-11-10')).toEqual([])
  })

  it('changes nothing when it runs a second time', async () => {
    const before = await servedRows('2026-11-10')
    expect(before.split('\n').length).toBeGreaterThan(6)
    expect(await etl.run('2026-11-10')).toMatchObject({ driftedCount: 0 })
    expect(await servedRows('2026-11-10')).toBe(before)
  })

  it('picks up events that came late when it runs again', async () => {
    const day = '2026-11-11'
    await insertRaw(clickhouse, makeDay(day, 20))
    const first = await etl.run(day)
    const late = [
      { app: 'shop', event: 'page_view', ts: Date.parse(`${day}T23:59:59.999Z`), person: 7, path: '/' },
    ]
    await insertRaw(clickhouse, late)
    expect(await etl.run(day)).toMatchObject({ events: first.events + 1, driftedCount: 0 })
  })

  it('reports and alerts exactly the row that streaming lost', async () => {
    const day = '2026-11-12'
    await insertRaw(clickhouse, makeDay(day, 60))
    await clickhouse.command({
      query: `ALTER TABLE metrics_streaming_daily DELETE WHERE day = {day:Date} AND app = 'shop' AND event = 'purchase'`,
      query_params: { day },
      clickhouse_settings: { mutations_sync: '2' },
    })
    const result = await etl.run(day)
    const row = {
      app: 'shop',
      event: 'purchase',
      currency: 'EUR',
      batch: { events: 10, users: 10, sessions: 10, revenue: '125.0000' },
      streaming: null,
    }
    expect(result).toMatchObject({ driftedCount: 1, equal: 5, drifted: [row] })
    const alerts = await readAlerts(day)
    expect(alerts).toHaveLength(1)
    expect(alerts[0]).toMatchObject({ kind: 'drift', drifted: [row] })
    expect(await readFile(result.reportPath, 'utf8')).toContain('differ in 1 row**')
  }, 300_000)

  it('fills a range of days, each by itself', async () => {
    const days = ['2026-11-01', '2026-11-02', '2026-11-03', '2026-11-04']
    for (const [index, day] of days.entries()) await insertRaw(clickhouse, makeDay(day, 10 + index))
    const counted = new Map<string, number>()
    await etl.runAll(days, (day, outcome) => {
      if (!(outcome instanceof Error)) counted.set(day, outcome.events)
    })
    const expected = days.map((day, index) => [day, makeDay(day, 10 + index).length] as const)
    expect([...counted].sort()).toEqual(expected)
  }, 300_000)

  it('serves whole days when runs of one day and of others go at once', async () => {
    const days = ['2026-11-05', '2026-11-05', '2026-11-06']
    for (const day of new Set(days)) await insertRaw(clickhouse, makeDay(day, 30))
    const { address, namespace, taskQueue } = stage.config.temporal
    const connection = await Connection.connect({ address })
    try {
      const client = new Client({ connection, namespace })
      const results = await Promise.all(
        days.map((day, index) =>
          // Ids of their own, as somebody might give who starts a run in Temporal's UI.
          client.workflow.execute('dailyEtl', {
            taskQueue,
            workflowId: `${taskQueue}.by-hand-${index}`,
            args: [{ day }],
          }),
        ),
      )
      for (const result of results)
        expect(result).toMatchObject({ driftedCount: 0, events: makeDay('2026-11-05', 30).length })
      expect(await servedRows('2026-11-05')).toBe(
        (await servedRows('2026-11-06')).replaceAll('2026-11-06', '2026-11-05'),
      )
    } finally {
      await connection.close()
    }
  }, 300_000)

  it('serves a day without events as a day without rows', async () => {
    expect(await etl.run('2026-10-01')).toMatchObject({ rows: 0, events: 0, driftedCount: 0 })
  })

  it('joins a run of the same day instead of starting a second', async () => {
    await insertRaw(clickhouse, makeDay('2026-11-13', 10))
    const [first, second] = await Promise.all([etl.start('2026-11-13'), etl.start('2026-11-13')])
    expect(second).toBe(first)
    await etl.run('2026-11-13')
  })
})

describe('the schedule', () => {
  it('is brought up to date by every worker that starts, and stays paused if an operator paused it', async () => {
    const { address, namespace, taskQueue } = stage.config.temporal
    const connection = await Connection.connect({ address })
    const client = new Client({ connection, namespace })
    try {
      const schedule = client.schedule.getHandle(dailyEtlScheduleId(taskQueue))
      await schedule.pause('audit')
      await Promise.all([ensureSchedules(client, taskQueue), ensureSchedules(client, taskQueue)])
      const { spec, policies, state, info } = await schedule.describe()
      expect(spec.calendars?.[0]?.hour).toEqual([{ start: 2, end: 2, step: 1 }])
      expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 3 * 86_400_000 })
      expect(state).toMatchObject({ paused: true, note: 'audit' })
      expect(info.nextActionTimes[0]?.toISOString()).toMatch(/T02:00:00.000Z$/)
      await schedule.unpause()
    } finally {
      await connection.close()
    }
  })

  it('works on the day before the time it was meant for, also when that is long past', async () => {
    const { address, namespace, taskQueue } = stage.config.temporal
    const connection = await Connection.connect({ address })
    const client = new Client({ connection, namespace })
    try {
      const schedule = client.schedule.getHandle(dailyEtlScheduleId(taskQueue))
      await schedule.backfill({
        start: new Date('2026-11-10T01:00:00Z'),
        end: new Date('2026-11-10T03:00:00Z'),
        overlap: 'ALLOW_ALL',
      })
      const handle = client.workflow.getHandle(dailyEtlWorkflowId(taskQueue, '2026-11-09'))
      await expect
        .poll(() => handle.result().catch(() => null), { timeout: 30_000 })
        .toMatchObject({
          day: '2026-11-09',
        })
    } finally {
      await connection.close()
    }
  })
})
