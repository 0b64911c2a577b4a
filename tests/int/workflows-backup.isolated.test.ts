import { randomUUID } from 'node:crypto'
import { Client, Connection } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClickHouse } from '../../clickhouse/client.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { readCatalog } from '../../s3/backup-catalog.ts'
import { createS3 } from '../../s3/client.ts'
import { listObjects } from '../../s3/list-objects.ts'
import { startTemporalWorker, type TemporalWorker } from '../../workers/temporal/start-worker.ts'
import {
  archiveDayScheduleId,
  backupScheduleId,
  shipWalScheduleId,
} from '../../workers/temporal/workflow-ids.ts'
import type { archiveDay, backup, shipWal } from '../../workflows/index.ts'
import { createStage, type Stage } from '../stage.ts'
import { startWorkflowClock, type WorkflowClock } from '../workflow-clock.ts'
import { insertRows, mixedRows } from './clickhouse-rows.ts'

describe('the backup workflow', () => {
  let clock: WorkflowClock
  beforeAll(async () => {
    clock = await startWorkflowClock()
  })
  afterAll(() => clock?.close())

  test('goes on with the others when one engine cannot be copied, lets old ones go, and fails in the end', async () => {
    await clock.withWorker({ backup: { broken: 'postgres' } }, async (taskQueue, journal) => {
      const run = clock.environment.client.workflow.execute<typeof backup>('backup', {
        taskQueue,
        workflowId: randomUUID(),
        args: [{}],
      })
      await expect(run).rejects.toThrow()
      expect(journal).toEqual([
        'takeBackup:clickhouse',
        'takeBackup:postgres',
        'takeBackup:keyring',
        'shipWal',
        'expireBackups',
      ])
    })
  })

  test('a copy of the log that fails keeps no expired backup alive', async () => {
    const script = { backup: { failures: { shipWal: { times: 3, code: 'postgres_unavailable' } } } }
    await clock.withWorker(script, async (taskQueue, journal) => {
      const result = await clock.environment.client.workflow.execute<typeof shipWal>('shipWal', {
        taskQueue,
        workflowId: randomUUID(),
        args: [],
      })
      expect(result).toEqual({ segments: 2, expired: 1 })
      expect(journal).toEqual(['expireBackups', 'shipWal', 'shipWal', 'shipWal', 'shipWal'])
    })
  })

  test('an archive waits out an erasure', async () => {
    const script = { backup: { failures: { archiveDay: { times: 4, code: 'archive_busy' } } } }
    await clock.withWorker(script, async (taskQueue, journal) => {
      const result = await clock.environment.client.workflow.execute<typeof archiveDay>('archiveDay', {
        taskQueue,
        workflowId: randomUUID(),
        args: [{ day: '2026-11-20' }],
      })
      expect(result).toMatchObject({ day: '2026-11-20', rows: 1_500 })
      expect(journal.length).toBe(5)
    })
  })
})

describe('on the engines', () => {
  let stage: Stage
  let worker: TemporalWorker
  let connection: Connection
  let client: Client
  beforeAll(async () => {
    stage = await createStage()
    const { config } = stage
    worker = await startTemporalWorker({
      config,
      logger: createLogger('test', 'silent'),
      metrics: createMetrics('test'),
    })
    connection = await Connection.connect({ address: config.temporal.address })
    client = new Client({ connection, namespace: config.temporal.namespace })
  })
  afterAll(async () => {
    const { taskQueue } = stage.config.temporal
    for (const id of [
      archiveDayScheduleId(taskQueue),
      backupScheduleId(taskQueue),
      shipWalScheduleId(taskQueue),
    ]) {
      await client?.schedule
        .getHandle(id)
        .delete()
        .catch(() => {})
    }
    await worker?.stop()
    await connection?.close()
    await stage?.close()
  })

  test('a day is archived and everything is backed up, and no history holds a key', async () => {
    const { config } = stage
    const clickhouse = createClickHouse(config)
    await insertRows(clickhouse, mixedRows(500, Date.parse('2026-10-05T00:00:00Z')), 'a/0/1')
    await clickhouse.close()
    const { taskQueue } = config.temporal
    const archived = await client.workflow.start<typeof archiveDay>('archiveDay', {
      taskQueue,
      workflowId: `${taskQueue}-archive`,
      args: [{ day: '2026-10-05' }],
    })
    expect(await archived.result()).toMatchObject({ rows: 500 })
    const copied = await client.workflow.start<typeof backup>('backup', {
      taskQueue,
      workflowId: `${taskQueue}-backup`,
      args: [{}],
    })
    const result = await copied.result()
    expect(result.backups.map((one) => one.kind)).toEqual(['clickhouse', 'postgres', 'keyring'])
    expect(result.segments).toBeGreaterThan(0)
    const s3 = createS3(config)
    expect((await listObjects(s3, 'archive', 'day=2026-10-05/')).length).toBeGreaterThan(10)
    const catalog = await readCatalog(s3)
    // The log may be there twice: the schedule ships it every two minutes, also just now.
    const kinds = [...new Set(catalog.map((one) => one.kind))].sort()
    expect(kinds).toEqual(['clickhouse', 'keyring', 'postgres', 'wal'])
    expect(catalog.every((one) => one.detail.complete)).toBe(true)
    s3.close()
    for (const handle of [archived, copied]) {
      const history = JSON.stringify(await handle.fetchHistory())
      for (const secret of [config.s3.secretKey, config.s3.endpoint]) {
        expect(history).not.toContain(secret)
        expect(history).not.toContain(Buffer.from(secret).toString('base64'))
      }
    }
  }, 300_000)

  test('the schedules are there: the log every two minutes, the archive after the daily ETL, the backups after that', async () => {
    const { taskQueue } = stage.config.temporal
    const ship = await client.schedule.getHandle(shipWalScheduleId(taskQueue)).describe()
    expect(ship.spec.intervals).toMatchObject([{ every: 120_000 }])
    const hours = []
    for (const id of [archiveDayScheduleId(taskQueue), backupScheduleId(taskQueue)]) {
      const { spec } = await client.schedule.getHandle(id).describe()
      hours.push(spec.calendars?.[0]?.hour?.[0]?.start)
    }
    expect(hours).toEqual([2, 4])
  })
})
