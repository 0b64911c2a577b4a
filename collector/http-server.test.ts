import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { SubjectKeys } from '../gate/subject-keys.ts'
import { EbbError } from '../runtime/errors.ts'
import { createLogger } from '../runtime/logger.ts'
import type { EventRecord, Rejection } from '../schemas/event-record.ts'
import { loadRegistry } from '../schemas/registry.ts'
import { type ByteBudget, createByteBudget } from './byte-budget.ts'
import { createCollectorServer, type ServerDeps } from './http-server.ts'
import { nobodySuppressed } from './made-up-deps.ts'

const KEYS: SubjectKeys = { token: Buffer.alloc(16, 1), idKey: Buffer.alloc(32, 2) }

interface Edge {
  url: string
  budget: ByteBudget
  records: EventRecord[]
  rejections: Rejection[]
  logged: unknown[]
}

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A collector whose Kafka and Postgres are in memory. */
async function startEdge(change: Partial<ServerDeps> = {}, limitBytes = 1_000_000): Promise<Edge> {
  const records: EventRecord[] = []
  const rejections: Rejection[] = []
  const logged: unknown[] = []
  const budget = createByteBudget(limitBytes, () => 0)
  const logger = createLogger('test', 'silent')
  const server = createCollectorServer({
    apps: { find: () => ({ rules: { app: 'shop' }, lookupKey: Buffer.alloc(32) }) },
    subjects: {
      resolve: (handles) => handles.map(() => KEYS),
      forget: () => {},
      glance: async () => {},
      cached: () => 0,
    },
    links: { write: () => undefined, forget: () => {} },
    ...nobodySuppressed(),
    producer: {
      send: async (some) => void records.push(...some),
      pendingBytes: () => 0,
      close: async () => {},
    },
    rejections: { count: (one) => void rejections.push(one), flush: async () => {}, close: async () => {} },
    registry: loadRegistry(),
    metrics: { accepted: () => {}, rejected: () => {}, dropped: () => {}, answered: () => {} },
    budget,
    logger: Object.assign(logger, { error: (fields: unknown) => void logged.push(fields) }),
    healthy: () => true,
    now: Date.now,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
    ackTimeoutMs: 100,
    missFloorMs: 0,
    ...change,
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    budget,
    records,
    rejections,
    logged,
  }
}

const click = { type: 'track', event: 'button_click', anonymousId: 'a', properties: { element: 'e' } }

async function send(edge: Edge, batch: unknown[] = [click], padding = 0) {
  const response = await fetch(`${edge.url}/v1/batch`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('key:').toString('base64')}` },
    body: JSON.stringify({ batch }) + ' '.repeat(padding),
  })
  const answer = (await response.json()) as { error?: { code: string } }
  return { status: response.status, retryAfter: response.headers.get('retry-after'), answer }
}

test('Events that pass the gate become one record a person, and the answer comes after the broker’s', async () => {
  const edge = await startEdge()
  const { status, answer } = await send(edge, [click, { ...click, event: 'no_such_event' }, click])
  expect(status).toBe(200)
  expect(answer).toEqual({ accepted: 2, rejected: [{ index: 1, code: 'unknown_event' }] })
  expect(edge.records).toMatchObject([{ app: 'shop', subject: KEYS.token, count: 2 }])
  expect(edge.rejections).toMatchObject([{ app: 'shop', code: 'unknown_event', event: '', count: 1 }])
  expect(edge.budget.used()).toBe(0)
})

test('A broker without an answer is waited for so long and no longer', async () => {
  const producer = { send: () => new Promise<void>(() => {}), pendingBytes: () => 0, close: async () => {} }
  const edge = await startEdge({ producer })
  expect(await send(edge)).toMatchObject({
    status: 503,
    retryAfter: expect.any(String),
    answer: { error: { code: 'events_unavailable' } },
  })
  expect(edge.budget.used()).toBe(0)
})

test('A broker that refuses is an outage, not a mistake of the client', async () => {
  const producer = {
    send: () => Promise.reject(new EbbError('producer_full', '')),
    pendingBytes: () => 0,
    close: async () => {},
  }
  const edge = await startEdge({ producer })
  expect(await send(edge)).toMatchObject({ status: 503, answer: { error: { code: 'events_unavailable' } } })
})

test('Under a flood that the broker does not take memory stays within its bound, and it passes by itself', async () => {
  let release = () => {}
  const acknowledged = new Promise<void>((resolve) => (release = resolve))
  const producer = { send: () => acknowledged, pendingBytes: () => 0, close: async () => {} }
  const edge = await startEdge({ producer, ackTimeoutMs: 10_000 }, 200_000)
  const answered: Awaited<ReturnType<typeof send>>[] = []
  const flood = Array.from({ length: 100 }, async () => {
    answered.push(await send(edge, [click], 10_000))
    // What was being read when the budget ran out may stand above it for a moment; it is refused and given back.
    expect(edge.budget.used()).toBeLessThan(220_000)
  })
  await expect.poll(() => answered.length, { timeout: 10_000 }).toBeGreaterThan(10)
  for (const one of answered) {
    expect(one).toMatchObject({ status: 503, retryAfter: '1', answer: { error: { code: 'overloaded' } } })
  }
  release()
  await Promise.all(flood)
  expect(answered.filter((one) => one.status === 200).length).toBeGreaterThan(10)
  expect(edge.budget.used()).toBe(0)
  expect((await send(edge)).status).toBe(200)
})

test('A body is counted as it comes: announcing much and sending little holds little', async () => {
  const edge = await startEdge()
  const { port } = new URL(edge.url)
  const sockets = Array.from({ length: 50 }, () => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.write('POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 500000\r\n\r\n{')
    return socket
  })
  await expect.poll(() => edge.budget.used(), { timeout: 10_000 }).toBe(50)
  expect((await send(edge)).status).toBe(200)
  for (const socket of sockets) socket.destroy()
  await expect.poll(() => edge.budget.used()).toBe(0)
})

test('A mistake of ours is a 500 whose cause is in the log, without the message that may quote a person', async () => {
  const subjects = {
    resolve: () => {
      throw new TypeError('ada@example.com')
    },
    forget: () => {},
    glance: async () => {},
    cached: () => 0,
  }
  const edge = await startEdge({ subjects })
  const { status, answer } = await send(edge)
  expect(status).toBe(500)
  expect(answer.error?.code).toBe('internal')
  expect(JSON.stringify(edge.logged)).toContain('TypeError')
  expect(JSON.stringify([answer, edge.logged])).not.toContain('ada')
})

test('A request with someone new is not answered sooner than one whose keys another request fetched', async () => {
  const subjects = {
    resolve: async (handles: readonly Buffer[]) => handles.map(() => KEYS),
    forget: () => {},
    glance: async () => {},
    cached: () => 0,
  }
  const edge = await startEdge({ subjects, missFloorMs: 80 })
  const startedAt = performance.now()
  expect((await send(edge)).status).toBe(200)
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(78)
})

test('Keys that cannot be had are a 503, and nothing is produced', async () => {
  const subjects = {
    resolve: () => Promise.reject(new EbbError('subjects_unavailable', '')),
    forget: () => {},
    glance: async () => {},
    cached: () => 0,
  }
  const edge = await startEdge({ subjects })
  expect(await send(edge)).toMatchObject({ status: 503, answer: { error: { code: 'subjects_unavailable' } } })
  expect(edge.records).toEqual([])
})

test('Records are produced even when a link cannot be stored, and the client is told to come again', async () => {
  const links = { write: () => Promise.reject(new EbbError('subjects_unavailable', '')), forget: () => {} }
  const edge = await startEdge({ links })
  const login = { type: 'identify', userId: 'u', anonymousId: 'a' }
  expect(await send(edge, [login])).toMatchObject({
    status: 503,
    answer: { error: { code: 'subjects_unavailable' } },
  })
  expect(edge.budget.used()).toBe(0)
})

test('A client that trickles its request is cut off, wherever it stops', async () => {
  const edge = await startEdge({ headersTimeoutMs: 200, requestTimeoutMs: 400 })
  const { port } = new URL(edge.url)
  const beginnings = [
    'POST /v1/ba',
    'POST /v1/batch HTTP/1.1\r\nhost: x\r\nx-slow: ',
    'POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{"batch"',
    'POST /v1/batch HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n',
  ]
  const answers = beginnings.map(
    (beginning) =>
      new Promise<string>((resolve) => {
        const socket = connect(Number(port), '127.0.0.1', () => socket.write(beginning))
        let answer = ''
        socket.on('data', (chunk) => {
          answer += chunk.toString()
        })
        socket.on('close', () => resolve(answer))
      }),
  )
  for (const answer of await Promise.all(answers)) {
    expect(answer).toMatch(/^HTTP\/1.1 408 /)
    expect(answer).toContain('"code":"request_timeout"')
  }
  await expect.poll(() => edge.budget.used()).toBe(0)
})
