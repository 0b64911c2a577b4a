import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { postBatch } from '../cli/post-batches.ts'
import { type PrivacyOffice, withPrivacyOffice } from '../cli/privacy-office.ts'
import { type ClickHouseClient, createClickHouse } from '../clickhouse/client.ts'
import { createApp } from '../postgres/apps.ts'
import { readRequest } from '../postgres/privacy-requests.ts'
import { createLogger } from '../runtime/logger.ts'
import { createMetrics } from '../runtime/metrics.ts'
import type { RequestState } from '../schemas/erasure.ts'
import { startTemporalWorker, type TemporalWorker } from '../workers/temporal/start-worker.ts'
import { type IngestProcess, startIngest } from './ingest-process.ts'
import { type ReadyProcess, startReady } from './ready-process.ts'
import { createStage, type Stage } from './stage.ts'
import { type RunningCollector, startCollector } from './start-collector.ts'

/** A stage with the real collector, ingest and Temporal worker on it, and short times: no step is left out. */
export interface ErasurePlatform {
  stage: Stage
  office: PrivacyOffice
  clickhouse: ClickHouseClient
  collector: RunningCollector
  ingest: IngestProcess
  reportsFolder: string
  /** Posts one batch to the app and waits until its rows are stored. */
  send(app: string, batch: Record<string, unknown>[]): Promise<void>
  countRows(): Promise<number>
  /** Waits until a request is in one of these states. */
  until(requestId: string, states: readonly RequestState[], withinMs?: number): Promise<RequestState>
  close(): Promise<void>
}

const SHORT_TIMES = {
  EBB_LEASE_S: '3',
  EBB_ERASE_BATCH_S: '0.2',
  EBB_SUPPRESS_S: '5',
  EBB_EVENTS_RETENTION_S: '10',
  EBB_BACKUP_RETENTION_S: '10',
  EBB_KEYRING_BACKUP_RETENTION_S: '5',
}

export async function startErasurePlatform(
  environment: Record<string, string> = {},
  alterErasure?: Parameters<typeof startTemporalWorker>[0]['alterErasure'],
): Promise<ErasurePlatform> {
  const stage = await createStage({ environment: { ...SHORT_TIMES, ...environment } })
  const { config } = stage
  const reportsFolder = await mkdtemp(join(tmpdir(), 'ebb-reports-'))
  const clickhouse = createClickHouse(config)
  const closing: (() => Promise<unknown>)[] = []
  const office = await new Promise<PrivacyOffice>((resolve, reject) => {
    withPrivacyOffice(config, async (opened) => {
      resolve(opened)
      await new Promise<void>((done) => closing.push(async () => done()))
    }).catch(reject)
  })
  const writeKeys = new Map<string, string>()
  for (const app of ['shop', 'learn'])
    writeKeys.set(app, (await createApp(office.postgres, { app })).writeKey)
  const [collector, ingest, verifier, worker]: [
    RunningCollector,
    IngestProcess,
    ReadyProcess,
    TemporalWorker,
  ] = await Promise.all([
    startCollector(stage.environment),
    startIngest(stage),
    startReady('workers/verifier/main.ts', stage.environment),
    startTemporalWorker({
      config,
      logger: createLogger('test', process.env.EBB_TEST_VERBOSE ? 'warn' : 'silent'),
      metrics: createMetrics('test'),
      reportsFolder,
      ...(alterErasure && { alterErasure }),
    }),
  ])
  const countRows = async () => {
    const result = await clickhouse.query({
      query: 'SELECT count() FROM events_raw',
      format: 'JSONCompactEachRow',
    })
    return Number(((await result.json()) as [[string]])[0][0])
  }
  return {
    stage,
    office,
    clickhouse,
    collector,
    ingest,
    reportsFolder,
    countRows,
    async send(app, batch) {
      const before = await countRows()
      const body = { batch, sentAt: new Date().toISOString() }
      const answer = await postBatch(collector.url, writeKeys.get(app)!, body)
      for (let waited = 0; (await countRows()) < before + answer.accepted; waited += 50) {
        if (waited > 120_000) throw new Error('rows are not stored')
        await sleep(50)
      }
    },
    async until(requestId, states, withinMs = 300_000) {
      for (const giveUpAt = Date.now() + withinMs; ; ) {
        const { state } = await readRequest(office.postgres, requestId)
        if (states.includes(state)) return state
        if (Date.now() > giveUpAt) throw new Error(`the request is ${state}, never ${states}`)
        await sleep(100)
      }
    },
    async close() {
      await Promise.allSettled([collector.stop(), ingest.stop(), verifier.stop(), worker.stop()])
      for (const step of closing) await step()
      await clickhouse.close()
      await rm(reportsFolder, { recursive: true, force: true })
      await stage.close()
    },
  }
}
