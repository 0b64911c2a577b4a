import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { EventRecord } from '../schemas/event-record.ts'
import { ROW_FORMAT } from '../schemas/event-row.ts'
import { loadRegistry } from '../schemas/registry.ts'
import { admit } from './admit.ts'
import { readBatch } from './read-batch.ts'
import { decodeRows, encodeRows } from './row-binary.ts'
import { deriveSubjectKeys } from './subject-keys.ts'
import { tokenise } from './tokenise.ts'

const NOW = Date.parse('2026-11-21T12:00:00.000Z')
const keys = deriveSubjectKeys(Buffer.alloc(32, 9))
const otherKeys = deriveSubjectKeys(Buffer.alloc(32, 8))
const registry = loadRegistry({
  events: [{ name: 'form', properties: { form_id: { type: 'id', purpose: 'analytics' } } }],
})

function recordOf(
  events: object[],
  envelope: object = {},
  subjectKeys = keys,
  nonce = 'n-1',
  now = NOW,
): EventRecord {
  const json = { batch: events.map((event) => ({ userId: 'anna', type: 'page', ...event })), ...envelope }
  const read = readBatch(json, Buffer.from(JSON.stringify(json)), 'batch')
  if (!read.ok) throw new Error(read.code)
  const admitted = admit(read.batch, {
    app: { app: 'shop' },
    lookupKey: Buffer.alloc(32, 3),
    registry,
    now,
    nonce,
  })
  const [person] = admitted.persons
  if (!person) throw new Error('nobody')
  return tokenise(person, subjectKeys, admitted.stamp)
}

const rowOf = (event: object, subjectKeys = keys) => decodeRows(recordOf([event], {}, subjectKeys).rows)[0]
const keyed = (label: string, id: string) =>
  createHmac('sha256', keys.idKey).update(`${label}\0${id}`).digest().readBigUInt64LE()

test('a record is one subject`s rows', () => {
  const record = recordOf([
    { messageId: 'm-1', context: { device: { id: 'd' }, sessionId: 's', page: { path: '/a' } } },
    {
      type: 'track',
      event: 'purchase',
      messageId: 'm-2',
      properties: { order_id: 'o', revenue: 19.99, currency: 'EUR', product_id: 'p', items: 2 },
    },
  ])
  expect(record).toMatchObject({ app: 'shop', count: 2, format: ROW_FORMAT, subject: keys.token })
  const none = {
    session: 0n,
    device: 0n,
    orderId: 0n,
    path: '',
    element: '',
    product: '',
    revenue: 0n,
    currency: '',
  }
  const common = {
    ...none,
    app: 'shop',
    ts: NOW,
    receivedAt: NOW,
    subject: Buffer.from(keys.token),
    props: '{}',
  }
  const rows = [
    {
      ...common,
      event: 'page_view',
      eventId: keyed('message', 'm-1'),
      device: keyed('device', 'd'),
      session: keyed('session', 's'),
      path: '/a',
    },
    {
      ...common,
      event: 'purchase',
      eventId: keyed('message', 'm-2'),
      orderId: keyed('order', 'o'),
      product: 'p',
      revenue: 199_900n,
      currency: 'EUR',
      props: '{"items":2}',
    },
  ]
  expect(decodeRows(record.rows)).toEqual(rows)
  expect(encodeRows(rows)).toEqual(record.rows)
})

test('the same id as device, session, order and message gives four hashes, and another subject others', () => {
  const event = { messageId: 'x-1', context: { device: { id: 'x-1' }, sessionId: 'x-1' } }
  const purchase = { ...event, type: 'track', event: 'purchase', properties: { order_id: 'x-1' } }
  const hashes = [keys, otherKeys].flatMap((subjectKeys) => {
    const row = rowOf(purchase, subjectKeys)
    return [row?.eventId, row?.device, row?.session, row?.orderId]
  })
  expect(new Set(hashes).size).toBe(8)
})

test('a property of type id leaves only its hash', () => {
  const row = rowOf({ type: 'track', event: 'form', properties: { form_id: 'form-77' } })
  expect(JSON.parse(row?.props ?? '')).toEqual({ form_id: expect.stringMatching(/^[0-9a-f]{16}$/) })
})

test('an earlier record is not touched by the next call', () => {
  const first = recordOf([{ messageId: 'a' }])
  const copy = Buffer.from(first.rows)
  recordOf([{ messageId: 'b' }, { messageId: 'c' }])
  expect(first.rows).toEqual(copy)
})

describe('the batch key, by which a retry is known', () => {
  const batchOf = (...args: Parameters<typeof recordOf>) => recordOf(...args).batch.toString('hex')
  const [a, b] = [{ messageId: 'a' }, { messageId: 'b' }]

  test('has 16 bytes and is the subject`s own', () => {
    expect(recordOf([a]).batch).toHaveLength(16)
    expect(batchOf([a], { messageId: 'batch' })).not.toBe(batchOf([a], { messageId: 'batch' }, otherKeys))
  })

  test('follows the batch id where there is one', () => {
    expect(batchOf([a], { messageId: 'batch' })).toBe(batchOf([b], { messageId: 'batch' }))
    expect(batchOf([a], { messageId: 'batch' })).not.toBe(batchOf([a], { messageId: 'other' }))
    expect(batchOf([a], { messageId: 'batch' })).not.toBe(batchOf([a]))
  })

  test('else follows the message ids in any order, whatever else a retry changes', () => {
    expect(batchOf([a, b], { sentAt: '2026-11-21T11:00:00.000Z' })).toBe(batchOf([b, a]))
    expect(batchOf([a, b])).not.toBe(batchOf([a]))
  })

  test('does not follow the verdict: it names rejected events too, and only those of the same person', () => {
    const old = { messageId: 'b', timestamp: NOW - 90 * 86_400_000 }
    const both = batchOf([a, b])
    expect(batchOf([a, old])).toBe(both)
    expect(batchOf([old, a])).toBe(both)
    expect(batchOf([a, { messageId: 'b', type: 'track', event: 'not declared' }])).toBe(both)
    expect(batchOf([a, { messageId: 'b', properties: { title: 'x'.repeat(40_000) } }])).toBe(both)
    expect(batchOf([a, { ...old, userId: 'bob' }])).toBe(batchOf([a]))
    expect(batchOf([a, { ...old, userId: '', anonymousId: 'anna' }])).toBe(batchOf([a]))
    expect(batchOf([a, { ...old, userId: {} }])).toBe(batchOf([a]))
  })

  test('is the same when an event becomes too old between the first try and the retry', () => {
    const limit = NOW - 30 * 86_400_000
    for (const ids of [
      [a, b],
      [{}, {}],
    ]) {
      const events = [
        { ...ids[0], timestamp: NOW - 1 },
        { ...ids[1], timestamp: limit + 1_000 },
      ]
      const first = recordOf(events)
      const retry = recordOf(events, {}, keys, 'n-2', NOW + 5_000)
      expect([first.count, retry.count]).toEqual([2, 1])
      expect(retry.batch).toEqual(first.batch)
    }
  })

  test('else is that of the very same bytes, where these hold an id or a time', () => {
    const again = (events: object[], envelope = {}) =>
      ['n-1', 'n-2'].map((nonce) => batchOf(events, envelope, keys, nonce))
    for (const [events, envelope] of [
      [[{ timestamp: NOW - 1 }, {}]],
      [[{ sentAt: NOW - 1 }, {}]],
      [[{ messageId: 'a' }, {}]],
      [[{}, {}], { sentAt: NOW - 1 }],
      [[{}, {}], { messageId: 'batch' }],
    ] as [object[], object?][]) {
      const [first, retry] = again(events, envelope)
      expect(retry, JSON.stringify([events, envelope])).toBe(first)
    }
    expect(batchOf([{ timestamp: NOW - 1 }])).not.toBe(batchOf([{ timestamp: NOW - 2 }]))
  })

  test('else is new for each request, and so are the ids: the same text twice is two events', () => {
    for (const event of [{}, { messageId: '', timestamp: null }]) {
      const [first, second] = ['n-1', 'n-2'].map((nonce) => recordOf([event, event], {}, keys, nonce))
      expect(second?.batch).not.toEqual(first?.batch)
      const rows = [first, second].flatMap((record) => decodeRows(record!.rows))
      expect(new Set(rows.map((row) => row.eventId)).size).toBe(4)
    }
  })
})
