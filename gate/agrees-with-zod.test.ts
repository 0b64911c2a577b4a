import fc from 'fast-check'
import { expect, test } from 'vitest'
import { propertiesSchema } from '../schemas/event-definition.ts'
import { loadRegistry } from '../schemas/registry.ts'
import { SegmentBatch, SegmentEvent } from '../schemas/segment.ts'
import { admit } from './admit.ts'
import { readBatch } from './read-batch.ts'

/*
 * The schemas in zod are the contract; the gate's readers are written for speed. On random input they must agree.
 */
const NOW = Date.parse('2026-11-21T12:00:00.000Z')
const registry = loadRegistry({
  events: [
    {
      name: 'every_type',
      properties: {
        text: { type: 'string', purpose: 'analytics', maxLength: 5 },
        number: { type: 'number', purpose: 'analytics', min: -3 },
        integer: { type: 'integer', purpose: 'analytics', max: 100, required: true },
        flag: { type: 'boolean', purpose: 'analytics' },
        choice: { type: 'enum', purpose: 'analytics', values: ['a', 'b'] },
        amount: { type: 'money', purpose: 'analytics', min: 0 },
        id: { type: 'id', purpose: 'analytics' },
        currency: { type: 'string', purpose: 'analytics', column: 'currency' },
      },
    },
  ],
})

function verdict(event: unknown): string {
  const read = readBatch({ batch: [event] }, Buffer.alloc(0), 'batch')
  if (!read.ok) return read.code
  const context = {
    app: { app: 'shop', maxAgeDays: 400 },
    lookupKey: Buffer.alloc(32),
    registry,
    now: NOW,
    nonce: '',
  }
  return admit(read.batch, context).rejected[0]?.code ?? 'accepted'
}

const scalar = fc.oneof(
  fc.constantFrom<unknown>(
    '',
    'a',
    'b',
    'c',
    'EUR',
    'eur',
    'EURO',
    '1.5',
    '-1',
    '1e3',
    '12.34567',
    null,
    true,
    false,
  ),
  fc.constantFrom<unknown>(
    0,
    -0,
    1,
    -4,
    1.5,
    101,
    1e15,
    1e16,
    9e11,
    1e12,
    2 ** 53,
    1e300,
    {},
    [],
    ['a'],
    '\ud800',
  ),
  fc.integer({ min: -1e9, max: 1e9 }),
  fc.double({ noNaN: true }),
  fc.string({ maxLength: 8 }),
  fc.string({ minLength: 250, maxLength: 260 }),
)

test('properties: the compiled reader and zod say the same', () => {
  const definition = registry.definitions.get('every_type')
  if (!definition) throw new Error('no definition')
  const schema = propertiesSchema(definition)
  const right: Record<string, fc.Arbitrary<unknown>> = {
    text: fc.string({ maxLength: 5 }),
    number: fc.double({ min: -3, max: 1e6, noNaN: true }),
    integer: fc.integer({ min: -5, max: 100 }),
    flag: fc.boolean(),
    choice: fc.constantFrom('a', 'b', null),
    amount: fc.constantFrom(0, 9.99, '9.99', 9e11),
    id: fc.constantFrom('x', 7, ''),
    currency: fc.constantFrom('EUR', 'usd'),
  }
  const properties = fc.record(
    Object.fromEntries(
      Object.entries(right).map(([name, values]) => [
        name,
        fc.oneof({ weight: 6, arbitrary: values }, { weight: 1, arbitrary: scalar }),
      ]),
    ),
    { requiredKeys: [] },
  )
  let accepted = 0
  fc.assert(
    fc.property(properties, (properties) => {
      // Large integers may be dropped as phone or card numbers before their range is looked at.
      fc.pre(
        !Object.values(properties).some(
          (value) => typeof value === 'number' && Math.abs(value) >= 1e9 && value % 1 === 0,
        ),
      )
      const code = verdict({ type: 'track', event: 'every_type', userId: 'u', properties })
      const byZod = schema.safeParse(properties).success
      expect(['accepted', 'invalid_property', 'missing_property']).toContain(code)
      expect(code === 'accepted', JSON.stringify(properties)).toBe(byZod)
      if (byZod) accepted++
    }),
    { numRuns: 1_500 },
  )
  expect(accepted).toBeGreaterThan(20)
})

test('envelope: the reader of events and zod say the same', () => {
  const field = (values: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 4, arbitrary: values }, { weight: 1, arbitrary: scalar })
  const id = field(fc.constantFrom('x', 7, null, '', undefined))
  const event = fc.record(
    {
      type: field(fc.constantFrom('track', 'page', 'screen', 'identify', 'alias', 'group')),
      event: field(fc.constant('page_view')),
      userId: id,
      anonymousId: id,
      previousId: id,
      groupId: id,
      messageId: id,
      name: field(fc.constant('Start')),
      category: field(fc.constant(null)),
      properties: field(fc.constant({})),
      traits: field(fc.constant({})),
      integrations: field(fc.constant({ All: true })),
      context: field(
        fc.record(
          {
            page: field(fc.record({ path: field(fc.constant('/a')) }, { requiredKeys: [] })),
            device: field(fc.record({ id }, { requiredKeys: [] })),
            sessionId: id,
            session_id: id,
            ip: field(fc.constant('::1')),
            locale: scalar,
          },
          { requiredKeys: [] },
        ),
      ),
      whatever: scalar,
    },
    { requiredKeys: ['type'] },
  )
  let accepted = 0
  fc.assert(
    fc.property(event, (event) => {
      const code = verdict(event)
      const byZod = SegmentEvent.safeParse(event).success
      expect(
        !['invalid_event', 'unknown_type', 'invalid_identity'].includes(code),
        JSON.stringify(event),
      ).toBe(byZod)
      if (byZod) accepted++
    }),
    { numRuns: 1_500 },
  )
  expect(accepted).toBeGreaterThan(20)
})

test('a batch: what readBatch takes, zod takes', () => {
  const batch = fc.record(
    {
      batch: fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })),
      messageId: scalar,
      writeKey: scalar,
      context: scalar,
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(batch, scalar), (json) => {
      const read = readBatch(json, Buffer.alloc(0), 'batch')
      const byZod = SegmentBatch.safeParse(json).success
      expect(read.ok || read.code === 'empty_batch', JSON.stringify(json)).toBe(byZod)
    }),
    { numRuns: 500 },
  )
})
