import { Client, Connection } from '@temporalio/client'
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import type { Registry } from 'prom-client'
import { BEAT_EVERY_MS, beatAll } from '../../activities/beat-while.ts'
import { createActivities } from '../../activities/create-activities.ts'
import type { PlatformErasureActivities } from '../../activities/create-erasure-activities.ts'
import { createClickHouse } from '../../clickhouse/client.ts'
import { readIngestProgress } from '../../kafka/read-ingest-progress.ts'
import { readRejections } from '../../kafka/read-rejections.ts'
import { createPostgres } from '../../postgres/client.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import { bundleWorkflows } from './bundle-workflows.ts'
import { countActivities } from './count-activities.ts'
import { ensureSchedules } from './ensure-schedules.ts'
import { ensureSearchAttributes } from './ensure-search-attributes.ts'
import { openBackups } from './open-backups.ts'
import { openErasure } from './open-erasure.ts'
import { openKeys } from './open-keys.ts'

/** A day's scan may take as long as the activity that waits for it (workflows/etl-activities.ts). */
const QUERY_TIMEOUT_MS = 30 * 60_000

export interface TemporalWorker {
  healthy(): boolean
  /** Settles when the worker has ended, by `stop` or by a failure. */
  ended: Promise<void>
  /** Takes no more tasks, lets running activities end (20 s), closes the connections. */
  stop(): Promise<void>
}

/** Starts one worker: search attributes and schedules in place, workflows bundled, activities over the real engines. */
export async function startTemporalWorker(deps: {
  config: Config
  logger: Logger
  metrics: Registry
  reportsFolder?: string
  /** For tests of the verifier: stands between the saga and an eraser, which may then lie. */
  alterErasure?(activities: PlatformErasureActivities): PlatformErasureActivities
}): Promise<TemporalWorker> {
  const { config, logger } = deps
  const { address, namespace, taskQueue } = config.temporal
  installLogger(logger)

  const connection = await Connection.connect({ address })
  const client = new Client({ connection, namespace })
  await ensureSearchAttributes(connection, namespace)
  const [workflowBundle, native] = await Promise.all([
    bundleWorkflows(),
    NativeConnection.connect({ address }),
  ])

  const clickhouse = createClickHouse(config, { requestTimeoutMs: QUERY_TIMEOUT_MS })
  const reportsFolder = deps.reportsFolder ?? config.reportsFolder
  const erasure = await openErasure({ config, logger, client, clickhouse, reportsFolder })
  const backups = openBackups(config, logger)
  const keys = await openKeys(config, logger, () => backups.activities.shipWal())
  const postgres = createPostgres(config.postgres.url, { connections: 1 })
  const activities = createActivities({
    clickhouse,
    postgres,
    readIngestProgress: () => readIngestProgress(config, logger),
    readRejections: (from, to) => readRejections(config, logger, from, to),
    reportsFolder,
    logger,
    now: Date.now,
  })
  const worker = await Worker.create({
    connection: native,
    namespace,
    taskQueue,
    workflowBundle,
    activities: {
      ...countActivities(activities, deps.metrics, 'etl'),
      ...countActivities(
        beatAll(deps.alterErasure?.(erasure.activities) ?? erasure.activities),
        deps.metrics,
        'erasure',
      ),
      ...countActivities(keys.activities, deps.metrics, 'keys'),
      ...countActivities(backups.activities, deps.metrics, 'backup'),
    },
    // A task in which a local activity runs waits for Postgres and Temporal: of a thousand sagas many do at once.
    maxConcurrentWorkflowTaskExecutions: 200,
    maxConcurrentLocalActivityExecutions: 200,
    // Steps of erasures are short and many; the long ones (a batch's stores, a day's scan) are few, by their workflows.
    maxConcurrentActivityTaskExecutions: 32,
    maxHeartbeatThrottleInterval: BEAT_EVERY_MS,
    shutdownGraceTime: '20s',
  })
  const ended = worker.run()
  await ensureSchedules(client, taskQueue)
  return {
    healthy: () => worker.getState() === 'RUNNING',
    ended,
    async stop() {
      worker.shutdown()
      await ended
      await Promise.all([
        clickhouse.close(),
        postgres.close(),
        erasure.close(),
        keys.close(),
        backups.close(),
        native.close(),
        connection.close(),
      ])
    },
  }
}

let installed = false

/** The SDK's runtime is one for a process and logs through ours, warnings and worse. */
function installLogger(logger: Logger): void {
  if (installed) return
  installed = true
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message }) => {
      if (level === 'ERROR') logger.error(message)
      else logger.warn(message)
    }),
    // Signals are main.ts's to handle.
    shutdownSignals: [],
  })
}
