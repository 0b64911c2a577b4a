import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventRecord } from '../schemas/event-record.ts'
import { loadRegistry } from '../schemas/registry.ts'
import { type AdmitContext, admit } from './admit.ts'
import { readBatch } from './read-batch.ts'
import { decodeRows } from './row-binary.ts'
import { deriveSubjectKeys } from './subject-keys.ts'
import { tokenise } from './tokenise.ts'

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

const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ'
const token = (characters: string, min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...characters), minLength: min, maxLength: max })

/** Ids long enough that finding one by chance in a few kilobytes is out of the question. */
const id = fc.oneof(
  fc.uuid(),
  token(`${letters}0123456789`, 10, 40),
  token(`${letters}-_. @/+%"\\`, 14, 40),
  token(`${letters}äöüßéñ語한ж😀`, 14, 30),
  token('123456789', 12, 15),
  fc
    .tuple(token(letters, 6, 12), token(letters, 6, 12))
    .map(([local, domain]) => `${local}@${domain}.example`),
)
const email = fc.tuple(token(letters, 8, 12), token(letters, 6, 12)).map(([a, b]) => `${a}@${b}.example`)
const ip = fc
  .tuple(
    fc.integer({ min: 100, max: 223 }),
    fc.integer({ min: 100, max: 255 }),
    fc.integer({ min: 100, max: 255 }),
  )
  .map(([a, b, c]) => `${a}.${b}.${c}.${(a + c) % 256}`)

/** What a careless or ill-willed developer does with an identifier before putting it in a property. */
const disguise = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => `for ${text} only`,
  (text) => `/a/${text}/b?x=${text}#${text}`,
  (text) => `https://shop.example/${encodeURIComponent(text)}`,
  (text) => `"${text}"\n\u0000`,
  (text) => `x${text}x`,
)

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

/** One person over many sessions: each event has ids of its own, and any event may hold any of them. */
const longBatch = fc
  .array(ids, { minLength: 12, maxLength: 60 })
  .map((all) => all.map((one) => ({ ...one, user: all[0]!.user })))
  .chain((all) => {
    const leak = fc
      .tuple(fc.constantFrom(...all), fc.constantFrom(...OWN), disguise)
      .map(([who, kind, dress]) => dress(who[kind]))
      .filter((text) => text.length < 250)
    const events = all.map((who) => fc.tuple(leak, leak, leak).map((leaks) => sessionEvent(who, leaks)))
    return fc.record({ all: fc.constant(all), events: fc.tuple(...events) })
  })
const OWN = ['user', 'anonymous', 'device', 'session', 'order'] as const

function sessionEvent(who: Ids, [path, name, brand]: [string, string, string]) {
  return { ...namesAll(who), properties: { order_id: who.order, path, name, brand: brand.slice(0, 128) } }
}

/** All bytes that leave the gate for Kafka. */
function wireBytes(record: EventRecord): Buffer {
  return Buffer.concat([record.subject, record.batch, record.rows, Buffer.from(record.app)])
}

function formsOf(secret: string): Buffer[] {
  const plain = Buffer.from(secret)
  const base64 = plain.toString('base64').replace(/=+$/, '').slice(0, -1)
  const forms = [plain, Buffer.from(plain.toString('hex')), Buffer.from(base64), Buffer.from(plain).reverse()]
  return [
    ...forms,
    Buffer.from([...secret].reverse().join('')),
    Buffer.from(JSON.stringify(secret).slice(1, -1)),
  ]
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

test('no identifier of a person is found in any of its events, however many ids its batch has', () => {
  fc.assert(
    fc.property(longBatch, ({ all, events }) => {
      const batch = events.map((event, i) => ({ ...event, messageId: `message-${i}` }))
      const out = runGate({ batch: JSON.parse(JSON.stringify(batch)) })
      expect(out?.admitted.rejected).toEqual([])
      expect(out?.records).toHaveLength(1)
      const bytes = wireBytes(out!.records[0]!)
      for (const who of all)
        for (const kind of OWN)
          for (const form of formsOf(who[kind])) expect(bytes.includes(form), who[kind]).toBe(false)
    }),
    { numRuns: 40 },
  )
})

test('the same holds for 5,000 sessions in one batch, without work that grows with their square', () => {
  const events = Array.from({ length: 5_000 }, (_, i) => ({
    type: 'page',
    userId: 'user-1',
    context: { sessionId: `session-${i}-x` },
    properties: { path: `/seen/session-${(i * 7) % 5_000}-x` },
  }))
  const paths = runGate({ batch: events })?.admitted.persons[0]?.events.map((event) => event.path)
  expect(new Set(paths)).toEqual(new Set(['/seen/:redacted']))
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
