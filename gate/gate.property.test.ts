import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type { EventRecord } from '../schemas/event-record.ts'
import { loadRegistry } from '../schemas/registry.ts'
import { admit } from './admit.ts'
import type { AdmitContext } from './admit-context.ts'
import { disguise, formsOf, id, letters, token } from './arbitrary-ids.ts'
import { readBatch } from './read-batch.ts'
import { decodeRows } from './row-binary.ts'
import { deriveSubjectKeys } from './subject-keys.ts'
import { tokenise } from './tokenise.ts'

// Many runs on a busy machine take their time; none of these promises is about speed.
vi.setConfig({ testTimeout: 60_000 })

const NOW = Date.parse('2026-11-21T12:00:00.000Z')
const keys = deriveSubjectKeys(Buffer.alloc(32, 9))
const registry = loadRegistry({
  events: [
    {
      name: 'survey',
      properties: {
        answer: { type: 'string', purpose: 'analytics', maxLength: 1000 },
        code: { type: 'string', purpose: 'analytics', content: 'code', maxLength: 1000 },
        number: { type: 'number', purpose: 'analytics' },
        form_id: { type: 'id', purpose: 'analytics' },
      },
    },
  ],
})
const context: AdmitContext = {
  app: { app: 'shop' },
  lookupKey: Buffer.alloc(32, 3),
  registry,
  now: NOW,
  nonce: 'n-1',
}

/** Both steps on any JSON value; every person gets the same keys, which the promise must not depend on. */
function runGate(json: unknown, body = Buffer.from(JSON.stringify(json) ?? '')) {
  const read = readBatch(json, body, 'batch')
  if (!read.ok) return undefined
  const admitted = admit(read.batch, { ...context, clientIp: '198.51.100.23' })
  const records = admitted.persons.map((person) => tokenise(person, keys, admitted.stamp))
  return { events: read.batch.events.length, admitted, records }
}

const email = fc.tuple(token(letters, 8, 12), token(letters, 6, 12)).map(([a, b]) => `${a}@${b}.example`)
const ip = fc
  .tuple(
    fc.integer({ min: 100, max: 223 }),
    fc.integer({ min: 100, max: 255 }),
    fc.integer({ min: 100, max: 255 }),
  )
  .map(([a, b, c]) => `${a}.${b}.${c}.${(a + c) % 256}`)

interface Ids {
  user: string
  anonymous: string
  device: string
  session: string
  order: string
  form: string
  email: string
  ip: string
  trait: string
}
const ids: fc.Arbitrary<Ids> = fc.record({
  user: id,
  anonymous: id,
  device: id,
  session: id,
  order: id,
  form: id,
  email,
  ip,
  trait: token(letters, 12, 20),
})
const SHARED = ['user', 'anonymous', 'device', 'session', 'order', 'email', 'ip'] as const

/** One event with all ids in their places, and any of them again where they do not belong. */
function eventOf(who: Ids) {
  const leak = fc
    .tuple(fc.constantFrom(...SHARED), disguise)
    .map(([kind, dress]) => dress(who[kind]))
    .filter((text) => text.length < 250)
  const some = fc.option(leak, { nil: undefined })
  return fc
    .record({
      kind: fc.constantFrom('page', 'screen', 'track', 'purchase', 'identify', 'alias', 'group'),
      message: fc.uuid(),
      leaks: fc.array(some, { minLength: 8, maxLength: 8 }),
    })
    .map(({ kind, message, leaks }) => {
      const common = {
        userId: who.user,
        anonymousId: who.anonymous,
        messageId: message,
        timestamp: new Date(NOW - 1_000).toISOString(),
        context: {
          device: { id: who.device, name: leaks[0] },
          sessionId: who.session,
          ip: who.ip,
          page: { path: leaks[1], url: leaks[2] },
          traits: { email: who.email },
        },
        [leaks[3] ?? 'nothing']: leaks[4] ?? 1,
      }
      const undeclared = { [leaks[0] ?? 'x']: leaks[1], mail: who.email }
      switch (kind) {
        case 'page':
          return {
            type: 'page',
            ...common,
            name: leaks[2],
            properties: { path: leaks[3], title: leaks[4], ...undeclared },
          }
        case 'screen':
          return { type: 'screen', ...common, name: leaks[5], category: leaks[6] }
        case 'track':
          return {
            type: 'track',
            ...common,
            event: 'survey',
            properties: {
              answer: leaks[5],
              code: leaks[6],
              form_id: who.form,
              number: /^\d+$/.test(who.user) && Number(who.user) < 1e15 ? Number(who.user) : 3,
              ...undeclared,
            },
          }
        case 'purchase':
          return {
            type: 'track',
            ...common,
            event: 'purchase',
            properties: {
              order_id: who.order,
              product_id: leaks[5]?.slice(0, 128),
              coupon: leaks[6]?.slice(0, 64),
              name: leaks[7],
              variant: leaks[0]?.slice(0, 64),
              revenue: 5,
              ...undeclared,
            },
          }
        default: {
          const traits = { email: who.email, plan: leaks[7]?.slice(0, 64), first: who.trait, ...undeclared }
          return {
            type: kind,
            ...common,
            previousId: who.anonymous,
            groupId: who.form,
            traits,
            properties: undeclared,
          }
        }
      }
    })
}

/** The gate cannot know an id that the batch names nowhere, so one event holds each of them in its place. */
function namesAll(who: Ids) {
  return {
    type: 'track',
    event: 'purchase',
    userId: who.user,
    anonymousId: who.anonymous,
    messageId: 'message-of-the-order',
    context: { device: { id: who.device }, sessionId: who.session },
    properties: { order_id: who.order },
  }
}

const batch = ids.chain((who) =>
  fc.record({
    who: fc.constant(who),
    events: fc
      .array(eventOf(who), { minLength: 1, maxLength: 6 })
      .map((events) => [...events, namesAll(who)].map((event) => JSON.parse(JSON.stringify(event)))),
    envelope: fc.record({ messageId: fc.option(fc.uuid(), { nil: undefined }) }),
  }),
)

/** All bytes that leave the gate for Kafka. */
function wireBytes(record: EventRecord): Buffer {
  return Buffer.concat([record.subject, record.batch, record.rows, Buffer.from(record.app)])
}

test('no identifier that went in is found in what comes out, wherever it was put', () => {
  fc.assert(
    fc.property(batch, ({ who, events, envelope }) => {
      const out = runGate({ batch: events, ...envelope })
      expect(out?.admitted.rejected).toEqual([])
      const messages = events.map((event) => event.messageId)
      const secrets = [...Object.values(who), ...messages, envelope.messageId ?? who.user, '198.51.100.23']
      for (const record of out?.records ?? []) {
        const bytes = wireBytes(record)
        for (const secret of secrets)
          for (const form of formsOf(secret)) expect(bytes.includes(form), secret).toBe(false)
      }
    }),
    { numRuns: 150 },
  )
})

test('what comes out can be read, and the same input gives the same output', () => {
  fc.assert(
    fc.property(batch, ({ events, envelope }) => {
      const once = runGate({ batch: events, ...envelope })
      const again = runGate({ batch: events, ...envelope })
      expect(again?.records).toEqual(once?.records)
      for (const record of once?.records ?? []) {
        const rows = decodeRows(record.rows)
        expect(rows).toHaveLength(record.count)
        for (const row of rows) {
          expect(row.subject).toEqual(keys.token)
          expect(typeof JSON.parse(row.props)).toBe('object')
        }
      }
    }),
    { numRuns: 30 },
  )
})

test('random JSON never throws, and every event is either accepted or rejected', () => {
  const key = fc.constantFrom(
    'type',
    'userId',
    'event',
    'properties',
    'context',
    'timestamp',
    'messageId',
    'path',
    '__proto__',
  )
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.jsonValue(),
      fc.constantFrom('track', 'page', 'purchase', 'survey', -0, 1e308, '\ud800', '2026-11-21'),
      fc.dictionary(fc.oneof(key, fc.string()), tie('any')),
      fc.array(tie('any'), { maxLength: 3 }),
    ),
  })).any
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), value, value, (batch, sentAt, context) => {
      const out = runGate({ batch, sentAt, context })
      expect((out?.admitted.accepted ?? 0) + (out?.admitted.rejected.length ?? 0)).toBe(out?.events)
    }),
    { numRuns: 200 },
  )
})

test('any property value of any event is taken or refused without a throw, and what is taken can be read', () => {
  const names = ['purchase', 'button_click', 'add_to_cart', 'page_view', 'screen', 'survey']
  const declared = [...registry.definitions.values()].flatMap((definition) =>
    Object.keys(definition.properties),
  )
  const value = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.double(), fc.maxSafeInteger())
  const event = fc.record({
    type: fc.constant('track'),
    event: fc.constantFrom(...names),
    userId: fc.constant('user-1'),
    properties: fc.dictionary(fc.constantFrom(...declared), value),
  })
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 5 }), (events) => {
      for (const record of runGate({ batch: events })?.records ?? []) {
        for (const row of decodeRows(record.rows)) JSON.parse(row.props)
      }
    }),
    { numRuns: 150 },
  )
})
