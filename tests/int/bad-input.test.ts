import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureTopics } from '../../kafka/topics.ts'
import { createApp } from '../../postgres/apps.ts'
import { createPostgres } from '../../postgres/client.ts'
import { migratePostgres } from '../../postgres/migrate.ts'
import { readEventRows, readRejections } from '../read-topic.ts'
import { createStage, type Stage } from '../stage.ts'
import { type RunningCollector, startCollector } from '../start-collector.ts'
import { BROKEN_BODIES } from './bad-input/broken-bodies.ts'
import { AUTHORIZATION, type BadInput, describeOutcome, event, WRITE_KEY } from './bad-input/case.ts'
import { post, sendRaw } from './bad-input/send.ts'
import { WRONG_EVENTS } from './bad-input/wrong-events.ts'
import { WRONG_REQUESTS } from './bad-input/wrong-requests.ts'

let stage: Stage
let collector: RunningCollector

beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await Promise.all([migratePostgres(stage.config), ensureTopics(stage.config)])
  const postgres = createPostgres(stage.config.postgres.url)
  await createApp(postgres, { app: 'shop', writeKey: WRITE_KEY })
  await postgres.close()
  collector = await startCollector(stage.environment)
})
afterAll(async () => {
  await collector?.stop()
  await stage?.close()
})

const CASES: BadInput[] = [...BROKEN_BODIES, ...WRONG_REQUESTS, ...WRONG_EVENTS]

/** Events that are right, sent between those that are not; each has its number in `element`. */
let sent = 0
async function sendGood(): Promise<void> {
  const batch = [0, 1].map(() =>
    event({ anonymousId: `good-person-${sent % 7}`, properties: { element: `good-${sent++}` } }),
  )
  const outcome = await post(collector.url, {
    headers: { authorization: AUTHORIZATION },
    body: JSON.stringify({ batch }),
  })
  expect(outcome).toEqual({ status: 200, accepted: 2, rejected: [] })
}

test('The list has 200 cases and more, each told once', () => {
  expect(CASES.length).toBeGreaterThanOrEqual(200)
  expect(new Set(CASES.map((one) => `${one.title} ${JSON.stringify(one.send)}`)).size).toBe(CASES.length)
})

const expectedRejections = new Map<string, number>()

test.each(CASES)('$title → $expect', async ({ send, expect: expected }) => {
  await sendGood()
  const outcome =
    'raw' in send ? await sendRaw(collector.url, send.raw, send.end) : await post(collector.url, send)
  expect(describeOutcome(outcome)).toBe(expected)
  expect(outcome.status).toBeLessThan(500)
  if (expected.startsWith('rejected ')) {
    const code = expected.slice('rejected '.length)
    expectedRejections.set(code, (expectedRejections.get(code) ?? 0) + 1)
  }
})

test('The good events sent between them are all stored, once each, and each rejection is counted', async () => {
  await sendGood()
  const rows = await readEventRows(stage.config)
  const good = rows.filter((row) => row.element.startsWith('good-')).map((row) => row.element)
  expect(good.sort()).toEqual(Array.from({ length: sent }, (_, n) => `good-${n}`).sort())
  // Counts are written once a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const counts = await readRejections(stage.config, 'shop')
  for (const [code, count] of expectedRejections) expect([code, counts.get(code)]).toEqual([code, count])
})

test('The collector was never harmed: same process, no 5xx, memory within its bound', async () => {
  expect(collector.ended()).toBe(false)
  expect(await post(collector.url, { path: '/health', method: 'GET' })).toMatchObject({ status: 200 })
  const metrics = await (await fetch(collector.metricsUrl)).text()
  expect(metrics).toContain('ebb_collector_requests_total{status="400"')
  expect(metrics).not.toMatch(/ebb_collector_requests_total\{status="5/)
  const status = await readFile(`/proc/${collector.process.pid}/status`, 'utf8').catch(() => 'VmHWM: 0 kB')
  expect(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1])).toBeLessThan(512 * 1024)
  expect(collector.log.filter((line) => !line.includes('"level":30'))).toEqual([])
})
