import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { ensureTopics } from '../../kafka/topics.ts'
import { createApp } from '../../postgres/apps.ts'
import { createPostgres } from '../../postgres/client.ts'
import { migratePostgres } from '../../postgres/migrate.ts'
import { type Config, readConfig } from '../../runtime/config.ts'
import { EVENT_HEADERS, TOPICS } from '../../schemas/event-record.ts'
import { isAlive } from '../../services/process-table.ts'
import { type EngineName, type RunningEngines, startEngines } from '../../services/start-engines.ts'
import { createTemporaryHome } from '../../services/temporary-home.ts'
import { readTopic } from '../read-topic.ts'
import { type RunningCollector, startCollector } from '../start-collector.ts'

// Engines of its own: these tests kill them.
const OWN = { EBB_POSTGRES_URL: undefined, EBB_KEYRING_URL: undefined, EBB_KAFKA_BROKERS: undefined }
let home: string
let engines: RunningEngines
let config: Config
let environment: Record<string, string>
let writeKey: string
let collector: RunningCollector

beforeAll(async () => {
  home = await createTemporaryHome('ebb-test-')
  engines = await startEngines({
    home,
    only: ['postgres', 'kafka'],
    ports: 'free',
    brief: true,
    environment: { ...process.env, ...OWN },
  })
  environment = {
    ...engines.environment,
    EBB_HOME: `${home}/collector`,
    EBB_COLLECTOR_PORT: '0',
    EBB_METRICS_PORT: '0',
  }
  config = readConfig(environment)
  await Promise.all([migratePostgres(config), ensureTopics(config)])
  const postgres = createPostgres(config.postgres.url)
  writeKey = (await createApp(postgres, { app: 'shop' })).writeKey
  await postgres.close()
})
afterAll(async () => {
  await engines?.stop()
  await rm(home, { recursive: true, force: true })
})
beforeEach(async () => {
  collector = await startCollector(environment)
})
afterEach(async () => {
  await collector?.stop()
  // One that failed in an outage leaves none to the others, whose collectors would wait for the engine.
  for (const { name, pid } of engines.processes) if (!isAlive(pid)) await engines.restart(name as EngineName)
})

async function send(batch: unknown[], key = writeKey) {
  const response = await fetch(`${collector.url}/v1/batch`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` },
    body: JSON.stringify({ batch }),
  })
  const answer = (await response.json()) as { accepted?: number; error?: { code: string } }
  return {
    status: response.status,
    ...(answer.error && { code: answer.error.code }),
    ...(response.headers.has('retry-after') && { retryAfter: Number(response.headers.get('retry-after')) }),
  }
}

const click = (element: string, person: string) => ({
  type: 'track',
  event: 'button_click',
  anonymousId: person,
  messageId: `${element} of ${person}`,
  properties: { element },
})

/** Batch keys and tokens under which an element stands in `events`: ingest stores one batch key once. */
async function keysOf(element: string) {
  const messages = (await readTopic(config, TOPICS.events)).filter((one) => one.value!.includes(element))
  return {
    batches: new Set(messages.map((one) => (one.headers![EVENT_HEADERS.batch] as Buffer).toString('hex')))
      .size,
    tokens: new Set(messages.map((one) => one.key!.toString('hex'))).size,
  }
}

/** Postgres serves each connection by a process of its own. */
async function postgresProcesses(): Promise<number[]> {
  const { pid } = engines.processes.find((one) => one.name === 'postgres')!
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return [pid, ...children.trim().split(' ').map(Number)]
}

/** Processes that serve connections notice it a moment later, and answer until then. */
async function killPostgres(): Promise<void> {
  const processes = await postgresProcesses()
  engines.kill('postgres', 'SIGKILL')
  await expect.poll(() => processes.some(isAlive), { timeout: 30_000 }).toBe(false)
}

test('While Postgres is away known people go on and unknown ones are told to come again; it recovers by itself', async () => {
  const login = { type: 'identify', userId: 'known', anonymousId: 'known-device' }
  expect(await send([click('first', 'known-device'), login])).toEqual({ status: 200 })

  await killPostgres()
  expect(await send([click('second', 'known-device'), login])).toEqual({ status: 200 })
  expect(await send([click('stranger', 'person-s')])).toEqual({
    status: 503,
    code: 'subjects_unavailable',
    retryAfter: expect.any(Number),
  })
  const newLink = { ...login, type: 'alias', previousId: 'known-device' }
  expect(await send([newLink])).toMatchObject({ status: 503, code: 'subjects_unavailable' })
  expect(await send([click('third', 'known')], 'wk_never_seen')).toMatchObject({
    status: 503,
    code: 'apps_unavailable',
  })

  await engines.restart('postgres')
  await expect.poll(() => send([click('stranger', 'person-s')]), { timeout: 20_000 }).toEqual({ status: 200 })
  expect(await send([newLink])).toEqual({ status: 200 })
  expect(await send([click('third', 'known')], 'wk_never_seen')).toMatchObject({ status: 401 })
  expect(await keysOf('stranger')).toEqual({ batches: 1, tokens: 1 })
})

test('A Postgres that stands still is no reason to wait for ever', async () => {
  expect(await send([click('before', 'frozen-known')])).toEqual({ status: 200 })
  const processes = await postgresProcesses()
  try {
    for (const pid of processes) process.kill(pid, 'SIGSTOP')
    const startedAt = performance.now()
    expect(await send([click('frozen', 'frozen-stranger')])).toMatchObject({ status: 503 })
    expect(performance.now() - startedAt).toBeLessThan(6_000)
    expect(await send([click('after', 'frozen-known')])).toEqual({ status: 200 })
  } finally {
    for (const pid of processes) process.kill(pid, 'SIGCONT')
  }
  await expect
    .poll(() => send([click('frozen', 'frozen-stranger')]), { timeout: 20_000 })
    .toEqual({ status: 200 })
})

test('While Kafka is away nothing is acknowledged; the retry with the same ids is counted once', async () => {
  expect(await send([click('kafka-first', 'patient')])).toEqual({ status: 200 })
  engines.kill('kafka', 'SIGKILL')
  const startedAt = performance.now()
  expect(await send([click('kafka-away', 'patient')])).toEqual({
    status: 503,
    code: 'events_unavailable',
    retryAfter: expect.any(Number),
  })
  expect(performance.now() - startedAt).toBeLessThan(7_000)
  await engines.restart('kafka')
  await expect
    .poll(() => send([click('kafka-away', 'patient')]), { timeout: 30_000 })
    .toEqual({ status: 200 })
  expect(await keysOf('kafka-away')).toEqual({ batches: 1, tokens: 1 })
})

test.each([
  'collector.after-subject-secret',
  'collector.before-produce',
  'collector.after-produce-before-answer',
])('A crash at %s loses nothing and counts nothing twice', async (point) => {
  await collector.stop()
  collector = await startCollector({ ...environment, EBB_FAULT: `${point}:1` })
  const element = point.replaceAll('.', '-')
  const exit = once(collector.process, 'exit')
  await expect(send([click(element, `person of ${element}`)])).rejects.toThrow()
  expect((await exit)[1]).toBe('SIGKILL')

  collector = await startCollector(environment)
  expect(await send([click(element, `person of ${element}`)])).toEqual({ status: 200 })
  expect(await keysOf(element)).toEqual({ batches: 1, tokens: 1 })
})

test('A collector that starts before its engines waits for them', async () => {
  await collector.stop()
  await killPostgres()
  const starting = startCollector(environment)
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await engines.restart('postgres')
  collector = await starting
  expect(await send([click('late', 'late')])).toEqual({ status: 200 })
})
