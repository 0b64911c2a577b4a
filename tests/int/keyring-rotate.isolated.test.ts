import { readFile } from 'node:fs/promises'
import { Client, Connection } from '@temporalio/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findProblems } from '../../cli/keys.ts'
import { createPostgres } from '../../postgres/client.ts'
import { type Keyring, openKeyring } from '../../postgres/keyring.ts'
import { type KeyringStatus, readKeyringStatus } from '../../postgres/list-shards.ts'
import { openKeyProvider } from '../../postgres/open-key-provider.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { startTemporalWorker, type TemporalWorker } from '../../workers/temporal/start-worker.ts'
import { rotateKeysWorkflowId } from '../../workers/temporal/workflow-ids.ts'
import type { rotateKeys } from '../../workflows/index.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let worker: TemporalWorker
let connection: Connection
let client: Client
let keyring: Keyring
let status: () => Promise<KeyringStatus>
let close: () => Promise<void>
beforeAll(async () => {
  stage = await createStage()
  const { config } = stage
  worker = await startTemporalWorker({
    config,
    logger: createLogger('test', 'error'),
    metrics: createMetrics('test'),
  })
  connection = await Connection.connect({ address: config.temporal.address })
  client = new Client({ connection, namespace: config.temporal.namespace })
  const postgres = createPostgres(config.postgres.keyringUrl)
  const provider = await openKeyProvider(config)
  keyring = await openKeyring(postgres, provider)
  status = () => readKeyringStatus(postgres, provider)
  close = () => postgres.close()
})
afterAll(async () => {
  await worker?.stop()
  await connection?.close()
  await close?.()
  await stage?.close()
})

test('A rotation replaces every wrapping key and loses nobody; a second one likewise', async () => {
  const made = await keyring.createSecrets(Array.from({ length: 300 }, () => crypto.randomUUID()))
  const people = new Map(made.map((one) => [one.subjectId, one.secret]))
  const lookup = await keyring.appLookupKey('shop')
  const { taskQueue } = stage.config.temporal
  for (const version of [2, 3]) {
    const before = await readFile(stage.config.keyFile, 'utf8')
    const handle = await client.workflow.start<typeof rotateKeys>('rotateKeys', {
      taskQueue,
      workflowId: rotateKeysWorkflowId(taskQueue),
      args: [],
    })
    expect(await handle.result()).toMatchObject({ shards: 65, secrets: 301, destroyedKeys: 65 })
    const now = await status()
    expect(now.shards.map((shard) => shard.version)).toEqual(Array(65).fill(version))
    expect(findProblems(now, Date.now())).toEqual([])
    const after = await readFile(stage.config.keyFile, 'utf8')
    const keys = Object.values(JSON.parse(before).keys as Record<string, string>)
    for (const key of keys) expect(after).not.toContain(key)
    expect(await keyring.readSecrets([...people.keys()])).toEqual(people)
    expect(await keyring.appLookupKey('shop')).toEqual(lookup)
    const history = JSON.stringify(await handle.fetchHistory())
    for (const secret of [...people.keys(), ...keys]) expect(history).not.toContain(secret)
  }
})

test('It is scheduled every 90 days, and what an outage missed is made up for', async () => {
  const schedule = client.schedule.getHandle(rotateKeysWorkflowId(stage.config.temporal.taskQueue))
  const { spec, policies, action } = await schedule.describe()
  const days = 86_400_000
  expect(spec.intervals?.map((interval) => interval.every)).toEqual([90 * days])
  expect(policies.catchupWindow).toBe(90 * days)
  expect(action.workflowType).toBe('rotateKeys')
})
