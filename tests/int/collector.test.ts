import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { Analytics } from '@segment/analytics-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureTopics } from '../../kafka/topics.ts'
import { createApp } from '../../postgres/apps.ts'
import { createPostgres, type Postgres } from '../../postgres/client.ts'
import { migratePostgres } from '../../postgres/migrate.ts'
import { EVENT_HEADERS, TOPICS } from '../../schemas/event-record.ts'
import { readEventRows, readTopic } from '../read-topic.ts'
import { createStage, type Stage } from '../stage.ts'
import { type RunningCollector, startCollector } from '../start-collector.ts'

let stage: Stage
let postgres: Postgres
let collector: RunningCollector
let writeKey: string

beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await Promise.all([migratePostgres(stage.config), ensureTopics(stage.config)])
  postgres = createPostgres(stage.config.postgres.url)
  writeKey = (await createApp(postgres, { app: 'shop' })).writeKey
  collector = await startCollector(stage.environment)
})
afterAll(async () => {
  await collector?.stop()
  await postgres?.close()
  await stage?.close()
})

const basic = () => `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`

async function send(
  path: string,
  body: unknown,
  headers: Record<string, string> = { authorization: basic() },
) {
  const bytes = body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body)
  const response = await fetch(`${collector.url}${path}`, { method: 'POST', headers, body: bytes })
  return { status: response.status, headers: response.headers, answer: (await response.json()) as unknown }
}

const click = (element: string, more: Record<string, unknown> = {}) => ({
  type: 'track',
  event: 'button_click',
  anonymousId: 'someone',
  properties: { element },
  ...more,
})
const rowsWith = async (element: string) =>
  (await readEventRows(stage.config)).filter((row) => row.element === element)

test("Segment's own Node library works unmodified: every call arrives, a flush ends with nothing pending", async () => {
  const analytics = new Analytics({ writeKey, host: collector.url, flushAt: 4, flushInterval: 50 })
  const errors: unknown[] = []
  analytics.on('error', (error) => errors.push(error))
  const userId = 'segment-user'
  analytics.identify({
    userId,
    anonymousId: 'segment-anonymous',
    traits: { plan: 'gold', email: 'ada@example.com' },
  })
  analytics.track({
    userId,
    event: 'purchase',
    properties: { revenue: 12.5, currency: 'EUR', order_id: 'o-1' },
  })
  analytics.page({ userId, name: 'Home', properties: { path: '/segment' } })
  analytics.screen({ userId, name: 'Lesson' })
  analytics.group({ userId, groupId: 'class-1', traits: { plan: 'school' } })
  analytics.alias({ userId: 'segment-user-2', previousId: userId })
  await analytics.closeAndFlush({ timeout: 10_000 })
  expect(errors).toEqual([])

  const rows = await readEventRows(stage.config)
  const purchase = rows.find((row) => row.event === 'purchase')!
  expect(purchase).toMatchObject({ app: 'shop', revenue: 125_000n, currency: 'EUR' })
  const own = rows.filter((row) => Buffer.from(row.subject).equals(purchase.subject))
  const events = own.map((row) => row.event)
  for (const event of ['identify', 'purchase', 'page_view', 'screen', 'group'])
    expect(events).toContain(event)
  expect(rows.map((row) => row.event)).toContain('alias')
  expect(own.find((row) => row.event === 'page_view')?.path).toBe('/segment')
  expect(
    JSON.stringify(own, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
  ).not.toContain('ada@')
})

test("Segment's library sends again what was answered with 503, under the same ids, and loses nothing", async () => {
  const bodies: string[] = []
  // Says "later" to the first request, and hands the others on.
  const door = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', async () => {
      bodies.push(Buffer.concat(chunks).toString())
      if (bodies.length === 1) return response.writeHead(503, { 'retry-after': '1' }).end()
      const answer = await fetch(`${collector.url}${request.url}`, {
        method: 'POST',
        headers: { authorization: request.headers.authorization! },
        body: bodies.at(-1)!,
      })
      response.writeHead(answer.status).end(await answer.text())
    })
  })
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
  const analytics = new Analytics({
    writeKey,
    host: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
  })
  analytics.track({ anonymousId: 'patient', event: 'button_click', properties: { element: 'sent-again' } })
  await analytics.closeAndFlush({ timeout: 10_000 })
  door.close()
  expect(bodies).toHaveLength(2)
  const messageIds = bodies.map(
    (body) => (JSON.parse(body) as { batch: { messageId: string }[] }).batch[0]!.messageId,
  )
  expect(messageIds[1]).toBe(messageIds[0])
  expect(await rowsWith('sent-again')).toHaveLength(1)
})

test('Each call has a path of its own, and Segment’s short ones for browsers', async () => {
  const person = { anonymousId: 'paths' }
  for (const [path, body] of [
    ['/v1/track', { ...person, event: 'button_click', properties: { element: 'path-track' } }],
    ['/v1/t', { ...person, event: 'button_click', properties: { element: 'path-t' } }],
    ['/v1/page', { ...person, properties: { path: '/paths' } }],
    ['/v1/screen', { ...person, name: 'Paths' }],
    ['/v1/identify', { ...person, userId: 'paths-user' }],
    ['/v1/alias', { userId: 'paths-2', previousId: 'paths' }],
    ['/v1/group', { ...person, groupId: 'g' }],
  ] as const) {
    expect(await send(path, body)).toMatchObject({ status: 200, answer: { accepted: 1, rejected: [] } })
  }
  expect(await rowsWith('path-track')).toHaveLength(1)
  expect(await rowsWith('path-t')).toHaveLength(1)
})

test('The write key may stand in the body, and a beacon may call its JSON text', async () => {
  const body = { writeKey, batch: [click('body-key')] }
  expect(await send('/v1/batch', body, { 'content-type': 'text/plain;charset=UTF-8' })).toMatchObject({
    status: 200,
    answer: { accepted: 1 },
  })
  expect(await rowsWith('body-key')).toHaveLength(1)
})

test('A gzip body is the same batch', async () => {
  const body = gzipSync(JSON.stringify({ batch: [click('zipped')] }))
  const headers = { authorization: basic(), 'content-encoding': 'gzip' }
  expect(await send('/v1/batch', body, headers)).toMatchObject({ status: 200, answer: { accepted: 1 } })
  expect(await rowsWith('zipped')).toHaveLength(1)
})

test('A page of another origin may send: preflight and answer allow it', async () => {
  const preflight = await fetch(`${collector.url}/v1/batch`, {
    method: 'OPTIONS',
    headers: { origin: 'https://shop.example', 'access-control-request-method': 'POST' },
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
  expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
  const { headers } = await send('/v1/batch', { batch: [click('cors')] })
  expect(headers.get('access-control-allow-origin')).toBe('*')
})

test('A retry carries the same batch key, so that ingest counts it once', async () => {
  const body = { messageId: 'retried-batch', batch: [click('retried', { messageId: 'm-1' })] }
  expect((await send('/v1/batch', body)).answer).toEqual({ accepted: 1, rejected: [] })
  expect((await send('/v1/batch', body)).answer).toEqual({ accepted: 1, rejected: [] })
  const keys = (await readTopic(stage.config, TOPICS.events))
    .filter((message) => message.value!.includes('retried'))
    .map((message) => (message.headers![EVENT_HEADERS.batch] as Buffer).toString('hex'))
  expect(keys).toHaveLength(2)
  expect(new Set(keys).size).toBe(1)
})

test('A person keeps one token over batches, and over a restart of the collector', async () => {
  await send('/v1/batch', { batch: [click('before-restart', { anonymousId: 'steady' })] })
  expect(await collector.stop()).toBe(0)
  collector = await startCollector(stage.environment)
  await send('/v1/batch', { batch: [click('after-restart', { anonymousId: 'steady' })] })
  await send('/v1/batch', { batch: [click('other-person', { anonymousId: 'other' })] })
  const [before] = await rowsWith('before-restart')
  const [after] = await rowsWith('after-restart')
  const [other] = await rowsWith('other-person')
  expect(after!.subject).toEqual(before!.subject)
  expect(other!.subject).not.toEqual(before!.subject)
})

test('An identify call links the anonymous person to the known one, durably, before it is acknowledged', async () => {
  const links = async () =>
    Number(
      (await postgres.query<{ n: string }>('links', 'SELECT count(*) AS n FROM subject_links', []))[0]!.n,
    )
  const before = await links()
  const body = { batch: [{ type: 'identify', userId: 'linked-user', anonymousId: 'linked-anonymous' }] }
  await send('/v1/batch', body)
  expect(await links()).toBe(before + 1)
  await send('/v1/batch', body)
  expect(await links()).toBe(before + 1)
})

test('Known and unknown people get the same answer', async () => {
  const known = await send('/v1/batch', { batch: [click('same', { anonymousId: 'steady' })] })
  const unknown = await send('/v1/batch', { batch: [click('same', { anonymousId: 'never seen' })] })
  expect(unknown.answer).toEqual(known.answer)
  const names = (headers: Headers) => [...headers.keys()].sort()
  expect(names(unknown.headers)).toEqual(names(known.headers))
})

test('A stop lets requests under way end with their answer', async () => {
  const answers = Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      send('/v1/batch', { batch: [click('stopping', { anonymousId: `stopping-${i}` })] }),
    ),
  )
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await collector.stop()).toBe(0)
  for (const { status } of await answers) expect(status).toBe(200)
  expect(await rowsWith('stopping')).toHaveLength(20)
  collector = await startCollector(stage.environment)
})

test('Nothing that a client sends gets into the log, whatever goes wrong with it', async () => {
  const canary = 'CANARY-7f3a'
  const all = (text: string) => ({
    type: 'track',
    event: text,
    userId: text,
    anonymousId: text,
    messageId: text,
    properties: { element: text, email: `${text}@example.com`, [text]: text },
    context: { ip: text, [text]: text },
    traits: { [text]: text },
  })
  await send('/v1/batch', {
    batch: [all(canary), { ...all(canary), event: 'button_click' }],
    [canary]: canary,
  })
  await send('/v1/batch', { batch: [{ ...all(canary), event: 'button_click', userId: { [canary]: 1 } }] })
  await send('/v1/batch', Buffer.from(`{"batch": ${canary}`))
  await send('/v1/batch', Buffer.from([0xff, ...Buffer.from(canary)]))
  await send(`/v1/${canary}?${canary}`, {})
  await send('/v1/batch', { writeKey: canary, batch: [] }, {})
  await send('/v1/batch', {}, { authorization: `Basic ${Buffer.from(`${canary}:`).toString('base64')}` })
  await send('/v1/batch', {}, { authorization: basic(), 'content-encoding': canary })
  const metrics = await (await fetch(collector.metricsUrl)).text()
  const encoded = [
    canary,
    Buffer.from(canary).toString('base64').slice(0, 12),
    Buffer.from(canary).toString('hex'),
  ]
  for (const form of encoded) {
    expect(collector.log.join('\n')).not.toContain(form)
    expect(metrics).not.toContain(form)
  }
})
