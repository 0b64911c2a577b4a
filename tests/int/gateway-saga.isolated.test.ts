import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import { NativeConnection, Worker } from '@temporalio/worker'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createErasureClient } from '../../gateway/erasure-client.ts'
import { startForgotten } from '../../gateway/start-forgotten.ts'
import { submitErasure } from '../../postgres/privacy-requests.ts'
import {
  type BatchDone,
  ERASURE_MESSAGES,
  erasureWorkflowId,
  thisStoreAnswers,
} from '../../schemas/erasure-messages.ts'
import { bundleWorkflows } from '../../workers/temporal/bundle-workflows.ts'
import { ensureSearchAttributes } from '../../workers/temporal/ensure-search-attributes.ts'
import { quietTemporal } from '../../workers/temporal/quiet-temporal.ts'
import { createGatewayStage, type GatewayStage, IN_A_YEAR, readAudit } from '../gateway-stage.ts'
import { type ErasureScript, stubErasure } from '../stub-erasure.ts'

// The real server, the real workflow and the real gateway; only what erases is scripted, so that a stage can be held.
const script: ErasureScript = { graceMs: 3_600_000, blocked: Array(9).fill(['s3/archive']) }
let gateway: GatewayStage
let token = ''
let connection: Connection
let native: NativeConnection
let workers: { worker: Worker; ended: Promise<void> }[] = []

const NEW = 'POST /v1/privacy/requests'
const path = (id: string, rest = '') => `/v1/privacy/requests/${id}${rest}`

beforeAll(async () => {
  quietTemporal()
  gateway = await createGatewayStage()
  token = (await gateway.token({ role: 'compliance', apps: null })).token
  const { address, namespace } = gateway.stage.config.temporal
  connection = await Connection.connect({ address })
  native = await NativeConnection.connect({ address })
  await ensureSearchAttributes(connection, namespace)
})
afterAll(async () => {
  await stopWorkers()
  await native?.close()
  await connection?.close()
  await gateway?.close()
})

async function startWorkers(): Promise<void> {
  const { taskQueue, namespace } = gateway.stage.config.temporal
  const client = new Client({ connection, namespace })
  const stub = stubErasure(script, {
    now: async () => Date.now(),
    tell: (requestId: string, done: BatchDone) =>
      client.workflow.getHandle(erasureWorkflowId(requestId)).signal(ERASURE_MESSAGES.batchDone, done),
  })
  const workflowBundle = await bundleWorkflows()
  const made = await Promise.all([
    Worker.create({ connection: native, namespace, taskQueue, workflowBundle, activities: stub.activities }),
    Worker.create({
      connection: native,
      namespace,
      taskQueue: `${taskQueue}-verifier`,
      activities: stub.verifier,
    }),
  ])
  workers = made.map((worker) => ({ worker, ended: worker.run() }))
}

async function stopWorkers(): Promise<void> {
  for (const { worker } of workers) worker.shutdown()
  await Promise.all(workers.map(({ ended }) => ended))
  workers = []
}

/** Every text of a history, payloads decoded. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

let people = 0
async function submit(): Promise<string> {
  const answer = await gateway.call(NEW, {
    token,
    body: {
      app: 'shop',
      identifiers: [{ label: 'email', value: `person-${++people}@example.com` }],
      proof: 'document-seen',
    },
  })
  expect(answer.status, answer.text).toBe(202)
  return (JSON.parse(answer.text) as { requestId: string }).requestId
}

/** A request whose archive stays away. */
async function submitStuck(): Promise<string> {
  script.graceMs = 0
  const id = await submit()
  await expect
    .poll(async () => (await stageOf(id)).stage, { timeout: 60_000 })
    .toBe('s3/archive cannot be reached')
  script.graceMs = 3_600_000
  return id
}

const stageOf = async (id: string) => {
  const { namespace } = gateway.stage.config.temporal
  const handle = new Client({ connection, namespace }).workflow.getHandle(erasureWorkflowId(id))
  return await handle.query<{ state: string; stage: string }>(ERASURE_MESSAGES.status)
}

describe('officers and a running erasure', () => {
  test('while no worker answers, a request is taken, and a word to it is told to come again', async () => {
    const id = await submit()
    const answer = await gateway.call(`POST ${path(id, '/cancel')}`, { token })
    expect([answer.status, answer.code]).toEqual([503, 'saga_unavailable'])
    expect(answer.headers.get('retry-after')).toBe('5')
  })

  test('in the grace time: hold, release, refuse, cancel; each only where it can be, and in the words of the list', async () => {
    await startWorkers()
    const id = await submit()
    const grace = async (one: string) =>
      expect.poll(async () => (await stageOf(one)).stage, { timeout: 20_000 }).toBe('grace')
    await grace(id)
    const hold = await gateway.call(`POST ${path(id, '/holds')}`, {
      token,
      body: { fields: ['email'], article: 'GDPR Art. 17(3)(e)', until: IN_A_YEAR },
    })
    expect([hold.status, hold.text]).toEqual([201, expect.stringMatching(/^\{"holdId":"[0-9a-f-]{36}"\}$/)])
    const { holdId } = JSON.parse(hold.text) as { holdId: string }
    const release = () => gateway.call(`DELETE ${path(id, `/holds/${holdId}`)}`, { token })
    expect((await release()).status).toBe(200)
    expect((await release()).code).toBe('hold_unknown')
    expect((await gateway.call(`POST ${path(id, '/retry')}`, { token })).code).toBe('not_stuck')

    expect((await gateway.call(`POST ${path(id, '/cancel')}`, { token })).status).toBe(200)
    expect((await gateway.call(`POST ${path(id, '/cancel')}`, { token })).code).toBe('too_late')
    await expect.poll(async () => (await stageOf(id)).state, { timeout: 20_000 }).toBe('cancelled')

    const other = await submit()
    await grace(other)
    const refusal = { article: 'GDPR Art. 12(5)', reason: 'manifestly-unfounded' }
    const refused = await gateway.call(`POST ${path(other, '/refuse')}`, { token, body: refusal })
    expect(refused.status).toBe(200)
    await expect.poll(async () => (await stageOf(other)).state, { timeout: 20_000 }).toBe('refused')
  })

  test('on a store out of reach: a partial certificate, in the words of the verifier, or the code of its refusal', async () => {
    const id = await submit()
    const asked = () => gateway.call(`POST ${path(id, '/partial')}`, { token })
    await expect.poll(async () => (await stageOf(id)).stage, { timeout: 60_000 }).toBe('grace')
    expect((await asked()).code).toBe('not_stuck')
    // The rest of this saga needs no grace: its answer is to go on.
    const stuck = await submitStuck()
    const answer = await gateway.call(`POST ${path(stuck, '/partial')}`, { token })
    expect([answer.status, JSON.parse(answer.text)]).toEqual([
      200,
      {
        requestId: stuck,
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
        logIndex: expect.any(Number),
        unreachable: ['s3/archive'],
      },
    ])
    const message = thisStoreAnswers('s3/exports')
    script.failures = { certifyPartial: { times: 99, code: 'store_answers', message, final: true } }
    const refused = await gateway.call(`POST ${path(stuck, '/partial')}`, { token })
    expect([refused.status, JSON.parse(refused.text)]).toEqual([
      409,
      { code: 'store_answers', message: `${message}.` },
    ])
    script.failures = {}
    const rows = (await readAudit(gateway.postgres)).filter(({ object }) => object === stuck)
    expect(rows.map(({ action, outcome }) => [action, outcome]).slice(-2)).toEqual([
      ['POST /v1/privacy/requests/:id/partial', '200 ok'],
      ['POST /v1/privacy/requests/:id/partial', '409 store_answers'],
    ])
  })

  test('no history names the person or the token', async () => {
    const id = await submit()
    await sleep(500)
    const { namespace } = gateway.stage.config.temporal
    const handle = new Client({ connection, namespace }).workflow.getHandle(erasureWorkflowId(id))
    const history = textsIn(await handle.fetchHistory()).join('\n')
    // The input itself, decoded: so nothing else in a payload could hide.
    expect(history).toContain(`{"requestId":"${id}"}`)
    for (const secret of ['person-', 'example.com', token, 'document-seen']) {
      expect(history).not.toContain(secret)
    }
  })

  test('a request whose start was lost is found and started by the sweep, once', async () => {
    const { postgres, keyring, stage } = gateway
    const long = { ...stage.config.privacy }
    const deps = { postgres, keyring, privacy: long, now: () => Date.now() - 60_000 }
    const identifiers = [{ label: 'userId' as const, value: 'lost' }]
    const { requestId } = await submitErasure(
      deps,
      { app: 'shop', identifiers, proof: 'email-code' },
      'cli:x',
    )
    const erasures = createErasureClient(stage.config)
    try {
      await expect(erasures.status(requestId)).rejects.toMatchObject({ code: 'too_late' })
      expect(await startForgotten({ postgres, erasures, now: Date.now })).toBeGreaterThanOrEqual(1)
      await expect.poll(async () => (await stageOf(requestId)).stage, { timeout: 20_000 }).toBe('grace')
      await startForgotten({ postgres, erasures, now: Date.now })
      expect((await stageOf(requestId)).stage).toBe('grace')
    } finally {
      await erasures.close()
    }
  })
})
