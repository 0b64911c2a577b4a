import { expect, test } from 'vitest'
import { contactTraits, loadRegistry, RegistryError } from './registry.ts'

const property = { type: 'integer', purpose: 'learning' }

test('the built-in events are there without any file', () => {
  expect([...loadRegistry().definitions.keys()].sort()).toEqual([
    'add_to_cart',
    'alias',
    'button_click',
    'group',
    'identify',
    'page_view',
    'purchase',
    'screen',
  ])
})

test('an app adds its own events', () => {
  const registry = loadRegistry({ events: [{ name: 'lesson_done', properties: { stars: property } }] })
  expect(registry.definitions.get('lesson_done')?.properties.stars).toMatchObject({
    type: 'integer',
    column: 'props',
  })
  expect(loadRegistry().definitions.has('lesson_done')).toBe(false)
})

test('a built-in event grows only by extending it', () => {
  const events = [
    { name: 'purchase', extends: 'purchase', properties: { gift: { type: 'boolean', purpose: 'commerce' } } },
  ]
  const purchase = loadRegistry({ events }).definitions.get('purchase')
  expect(Object.keys(purchase?.properties ?? {})).toEqual(
    expect.arrayContaining(['gift', 'revenue', 'order_id']),
  )
  expect(() => loadRegistry({ events: [{ name: 'purchase', properties: {} }] })).toThrow(
    'event purchase exists already: say "extends": "purchase" to add to it',
  )
})

test('an event may take over the properties of another', () => {
  const events = [{ name: 'gift_purchase', extends: 'purchase', properties: {} }]
  expect(loadRegistry({ events }).definitions.get('gift_purchase')?.properties.revenue?.column).toBe(
    'revenue',
  )
})

test.each([
  ['not an object', [], 'file: '],
  ['no list', {}, 'events: '],
  [
    'an unknown type',
    { events: [{ name: 'a', properties: { x: { type: 'text', purpose: 'learning' } } }] },
    'a.properties.x.type',
  ],
  [
    'a purpose left out',
    { events: [{ name: 'a', properties: { x: { type: 'string' } } }] },
    'a.properties.x.purpose',
  ],
  [
    'a misspelt field',
    { events: [{ name: 'a', properties: { x: { ...property, maxLenght: 3 } } }] },
    'a.properties.x: ',
  ],
  [
    'an enum without values',
    { events: [{ name: 'a', properties: { x: { type: 'enum', purpose: 'learning' } } }] },
    'enum needs them',
  ],
  [
    'text as revenue',
    {
      events: [{ name: 'a', properties: { x: { type: 'string', purpose: 'commerce', column: 'revenue' } } }],
    },
    'takes type money',
  ],
  [
    'min above max',
    { events: [{ name: 'a', properties: { x: { ...property, min: 2, max: 1 } } }] },
    'min is above max',
  ],
  ['a bad name', { events: [{ name: '', properties: {} }] }, 'name'],
  [
    '__proto__ as a property',
    JSON.parse(
      '{"events":[{"name":"a","properties":{"__proto__":{"type":"string","purpose":"analytics"}}}]}',
    ),
    undefined,
  ],
  [
    'an unknown base',
    { events: [{ name: 'a', extends: 'b', properties: {} }] },
    'event a extends b, which is not defined before it',
  ],
  [
    'the same name twice',
    {
      events: [
        { name: 'a', properties: {} },
        { name: 'a', properties: {} },
      ],
    },
    'event a exists already',
  ],
])('%s is told plainly', (_case, json, message) => {
  if (message === undefined) {
    // zod leaves such a key out; what matters is that it declares nothing.
    expect(Object.keys(loadRegistry(json).definitions.get('a')?.properties ?? {})).toEqual([])
    return
  }
  expect(() => loadRegistry(json)).toThrow(RegistryError)
  expect(() => loadRegistry(json)).toThrow(message)
})

test('the traits by which a person is found are built in, and an app declares its own', () => {
  const builtIn = { email: 'email', phone: 'phone' }
  expect(Object.fromEntries(contactTraits(loadRegistry()))).toEqual(builtIn)
  const trait = { type: 'string', purpose: 'operations', sensitivity: 'personal', vault: true }
  const identify = (work_email: object) => ({
    events: [{ name: 'identify', extends: 'identify', properties: { work_email } }],
  })
  const registry = loadRegistry(identify({ ...trait, contact: 'email' }))
  expect(Object.fromEntries(contactTraits(registry))).toEqual({ ...builtIn, work_email: 'email' })
  expect(() => loadRegistry(identify({ ...trait, vault: false, contact: 'email' }))).toThrow(
    'contact is for traits of the vault',
  )
})
