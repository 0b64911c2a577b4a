import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { loadRegistry } from '../schemas/registry.ts'
import { admit } from './admit.ts'
import { disguise, formsOf, id } from './arbitrary-ids.ts'
import { readBatch } from './read-batch.ts'
import { deriveSubjectKeys } from './subject-keys.ts'
import { tokenise } from './tokenise.ts'

// Many runs on a busy machine take their time; none of these promises is about speed.
vi.setConfig({ testTimeout: 60_000 })

const NOW = Date.parse('2026-11-21T12:00:00.000Z')
const keys = deriveSubjectKeys(Buffer.alloc(32, 9))
const context = {
  app: { app: 'shop' },
  lookupKey: Buffer.alloc(32, 3),
  registry: loadRegistry(),
  now: NOW,
  nonce: 'n-1',
}

function admitBatch(batch: object[]) {
  const body = Buffer.from(JSON.stringify({ batch }))
  const read = readBatch(JSON.parse(body.toString()), body, 'batch')
  if (!read.ok) throw new Error(read.code)
  return admit(read.batch, context)
}

const OWN = ['user', 'anonymous', 'device', 'session', 'order'] as const
type Ids = Record<(typeof OWN)[number], string>
const ids: fc.Arbitrary<Ids> = fc.record({ user: id, anonymous: id, device: id, session: id, order: id })

function purchase(who: Ids, [path, name, brand]: [string, string, string], messageId: string) {
  return {
    type: 'track',
    event: 'purchase',
    messageId,
    userId: who.user,
    anonymousId: who.anonymous,
    context: { device: { id: who.device }, sessionId: who.session },
    properties: { order_id: who.order, path, name, brand: brand.slice(0, 128) },
  }
}

/** One person over many sessions: each event has ids of its own, and any event may hold any of them. */
const longBatch = fc
  .array(ids, { minLength: 12, maxLength: 60 })
  .map((all) => all.map((one) => ({ ...one, user: all[0]!.user })))
  .chain((all) => {
    const leak = fc
      .tuple(fc.constantFrom(...all), fc.constantFrom(...OWN), disguise)
      .map(([who, kind, dress]) => dress(who[kind]))
      .filter((text) => text.length < 250)
    const events = all.map((who, i) =>
      fc.tuple(leak, leak, leak).map((leaks) => purchase(who, leaks, `message-${i}`)),
    )
    return fc.record({ all: fc.constant(all), events: fc.tuple(...events) })
  })

test('no identifier of a person is found in any of its events, however many ids its batch has', () => {
  fc.assert(
    fc.property(longBatch, ({ all, events }) => {
      const { persons, rejected, stamp } = admitBatch(events)
      expect([rejected, persons.length]).toEqual([[], 1])
      const { rows } = tokenise(persons[0]!, keys, stamp)
      for (const who of all)
        for (const kind of OWN)
          for (const form of formsOf(who[kind])) expect(rows.includes(form), who[kind]).toBe(false)
    }),
    { numRuns: 40 },
  )
})

test('the same holds for 5,000 sessions in one batch', () => {
  const events = Array.from({ length: 5_000 }, (_, i) => ({
    type: 'page',
    userId: 'user-1',
    context: { sessionId: `session-${i}-x` },
    properties: { path: `/seen/session-${(i * 7) % 5_000}-x` },
  }))
  const paths = admitBatch(events).persons[0]?.events.map((event) => event.path)
  expect(new Set(paths)).toEqual(new Set(['/seen/:redacted']))
})
