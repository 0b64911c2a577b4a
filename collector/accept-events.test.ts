import { expect, test } from 'vitest'
import { deriveSubjectKeys } from '../gate/subject-keys.ts'
import { EbbError } from '../runtime/errors.ts'
import type { EventRecord, Rejection } from '../schemas/event-record.ts'
import { loadRegistry } from '../schemas/registry.ts'
import { type AcceptDeps, acceptEvents, type Submission } from './accept-events.ts'
import { nobodySuppressed } from './made-up-deps.ts'

/** One app, a broker that can be switched off, and all that is sent and counted. */
function setUp() {
  const state = { away: false }
  const records: EventRecord[] = []
  const rejections: Rejection[] = []
  const metrics: [string, number][] = []
  const keys = deriveSubjectKeys(Buffer.alloc(32, 9))
  const deps: AcceptDeps = {
    apps: { find: () => ({ rules: { app: 'shop' }, lookupKey: Buffer.alloc(32, 3) }) },
    subjects: {
      resolve: (handles) => handles.map(() => keys),
      forget: () => {},
      glance: async () => {},
      cached: () => 0,
    },
    links: { write: () => undefined, forget: () => {} },
    ...nobodySuppressed(),
    producer: {
      async send(sent) {
        if (state.away) throw new EbbError('kafka_unavailable', 'away')
        records.push(...sent)
      },
      pendingBytes: () => 0,
      close: async () => {},
    },
    rejections: {
      count: (rejection) => void rejections.push(rejection),
      flush: async () => {},
      close: async () => {},
    },
    registry: loadRegistry(),
    metrics: {
      accepted: (count) => void metrics.push(['accepted', count]),
      rejected: (code, count) => void metrics.push([code, count]),
      dropped: (code, count) => void metrics.push([code, count]),
      answered: () => {},
    },
    now: () => 1_000,
    ackTimeoutMs: 1_000,
    missFloorMs: 0,
  }
  const send = (call: Submission['call'], body: object) =>
    acceptEvents(deps, {
      call,
      body: Buffer.from(JSON.stringify(body)),
      encoding: undefined,
      writeKey: 'key',
      clientIp: undefined,
      onInflated: () => {},
    })
  return { state, records, rejections, metrics, send }
}

const page = { type: 'page', userId: 'anna' }

test('What was refused is counted once, when the rest is stored, and not for each try', async () => {
  const { state, rejections, metrics, send } = setUp()
  const batch = [page, { ...page, type: 'nonsense' }, { ...page, type: 'nonsense' }, { ...page, extra: 1 }]
  state.away = true
  await expect(send('batch', { batch })).rejects.toMatchObject({ code: 'events_unavailable' })
  expect([rejections, metrics]).toEqual([[], []])
  state.away = false
  await send('batch', { batch })
  expect(metrics).toEqual([
    ['accepted', 2],
    ['unknown_type', 2],
    ['undeclared_field', 1],
  ])
  expect(rejections.map(({ code, count }) => [code, count])).toEqual(metrics.slice(1))
})

test('A request of which nothing is left is counted too', async () => {
  const { metrics, send } = setUp()
  expect(await send('batch', { batch: [{}] })).toBe(
    '{"accepted":0,"rejected":[{"index":0,"code":"unknown_type"}]}',
  )
  expect(metrics).toEqual([
    ['accepted', 0],
    ['unknown_type', 1],
  ])
})

test('A button that posts the same text again has sent two events; a retry with an id or a time is the same one', async () => {
  const { records, send } = setUp()
  const keysOf = async (body: object) => {
    records.length = 0
    await send('page', body)
    await send('page', body)
    return new Set(records.map((record) => record.batch.toString('hex'))).size
  }
  expect(await keysOf({ anonymousId: 'button-7' })).toBe(2)
  expect(await keysOf({ anonymousId: 'button-7', messageId: 'm-1' })).toBe(1)
  expect(await keysOf({ anonymousId: 'button-7', timestamp: 900 })).toBe(1)
})
