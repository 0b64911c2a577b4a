import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { loadRegistry } from '../schemas/registry.ts'
import { admit } from './admit.ts'
import type { AdmitContext } from './admit-context.ts'
import { readBatch } from './read-batch.ts'
import type { DraftEvent } from './work.ts'

const NOW = Date.parse('2026-11-21T12:00:00.000Z')
const lookupKey = Buffer.alloc(32, 3)
const registry = loadRegistry({
  events: [
    {
      name: 'quiz',
      properties: {
        topic: { type: 'enum', purpose: 'learning', values: ['sums', 'shapes'] },
        score: { type: 'number', purpose: 'learning', required: true },
        tries: { type: 'integer', purpose: 'learning' },
        passed: { type: 'boolean', purpose: 'learning' },
        note: { type: 'string', purpose: 'learning', maxLength: 20 },
        school_id: { type: 'id', purpose: 'learning' },
        diagnosis: { type: 'string', purpose: 'learning', sensitivity: 'special' },
      },
    },
  ],
})
const context: AdmitContext = { app: { app: 'shop' }, lookupKey, registry, now: NOW, nonce: 'n-1' }

function admitEvents(events: unknown[], more: { envelope?: object; context?: Partial<AdmitContext> } = {}) {
  const json = JSON.parse(JSON.stringify({ batch: events, ...more.envelope }))
  const read = readBatch(json, Buffer.from(JSON.stringify(json)), 'batch')
  if (!read.ok) throw new Error(read.code)
  return admit(read.batch, { ...context, ...more.context })
}

/** The draft and drops of one event that must pass. */
function admitOne(event: object, more: Parameters<typeof admitEvents>[1] = {}) {
  const admitted = admitEvents([{ userId: 'user-4711', ...event }], more)
  expect(admitted.rejected).toEqual([])
  const draft = admitted.persons[0]?.events[0] as DraftEvent
  return { draft, props: JSON.parse(draft.props), dropped: Object.fromEntries(admitted.dropped), admitted }
}

function codeOf(event: unknown, more: Parameters<typeof admitEvents>[1] = {}): string {
  return admitEvents([event], more).rejected[0]?.code ?? 'accepted'
}

const track = (event: string, properties: object) => ({ type: 'track', event, properties })

describe('schema: deny by default', () => {
  test('Segment calls become the registry names', () => {
    const name = (event: object) => admitOne(event).draft.event
    expect(name({ type: 'page' })).toBe('page_view')
    expect(name({ type: 'screen', name: 'Start' })).toBe('screen')
    expect(name({ type: 'identify' })).toBe('identify')
    expect(name({ type: 'group', groupId: 'class-5' })).toBe('group')
    expect(name({ type: 'alias', previousId: 'old' })).toBe('alias')
    expect(name({ type: 'track', event: 'page_view' })).toBe('page_view')
  })

  test('declared properties go to their columns, the others of them to props', () => {
    const { draft, props } = admitOne(
      track('purchase', {
        order_id: 'o-1',
        revenue: 59.97,
        currency: 'eur',
        product_id: 'SKU-1',
        quantity: 3,
        tax: '9.5',
      }),
    )
    expect(draft).toMatchObject({ orderId: 'o-1', revenue: 599_700, currency: 'EUR', product: 'SKU-1' })
    expect(props).toEqual({ quantity: 3, tax: 9.5 })
  })

  test('undeclared properties are dropped and counted under one code, whatever their name', () => {
    const properties = JSON.parse(
      '{"element":"buy","favourite_colour":"red","__proto__":{"x":1},"constructor":2}',
    )
    const { draft, props, dropped } = admitOne(track('button_click', properties))
    expect(draft.element).toBe('buy')
    expect(props).toEqual({})
    expect(dropped).toEqual({ undeclared_property: 3 })
    expect(({} as { x?: number }).x).toBeUndefined()
  })

  test('traits are personal unless declared', () => {
    const traits = { email: 'anna@example.com', name: 'Anna', age: 9, plan: 'family' }
    const { props, dropped, draft } = admitOne({ type: 'identify', traits })
    expect(props).toEqual({ plan: 'family' })
    expect(dropped).toEqual({ personal: 2, trait: 1 })
    // What goes to the vault is no part of the event.
    expect(draft.vault).toEqual({ email: 'anna@example.com', name: 'Anna' })
    expect(JSON.stringify({ ...draft, vault: undefined })).not.toContain('nna')
  })

  test('properties declared personal or special are never stored', () => {
    const { props, dropped } = admitOne(track('quiz', { score: 1, diagnosis: 'dyslexia' }))
    expect(props).toEqual({ score: 1 })
    expect(dropped).toEqual({ personal: 1 })
  })

  test('of a context only page path, device and session are kept', () => {
    const { draft, dropped } = admitOne({
      type: 'page',
      context: {
        page: { path: '/start', referrer: 'https://a.example/', search: '?q=1' },
        device: { id: 'dev-12345', model: 'X' },
        sessionId: 'ses-12345',
        userAgent: 'Mozilla/5.0',
        locale: 'de-DE',
        ip: '203.0.113.9',
        library: { name: 'x' },
      },
    })
    expect(draft).toMatchObject({ path: '/start', device: 'dev-12345', session: 'ses-12345', props: '{}' })
    expect(dropped).toEqual({ context: 7 })
  })

  test('the context of the envelope stands in', () => {
    const envelope = {
      context: { device: { id: 'dev-12345' }, sessionId: 'ses-12345', page: { path: '/outer' } },
    }
    expect(admitOne({ type: 'page' }, { envelope }).draft).toMatchObject({
      device: 'dev-12345',
      path: '/outer',
    })
    expect(admitOne({ type: 'page', context: { page: { path: '/own' } } }, { envelope }).draft.path).toBe(
      '/own',
    )
  })

  test('a session may come as a property', () => {
    expect(admitOne(track('page_view', { session_id: 1_718_035_200 })).draft.session).toBe('1718035200')
  })

  test('name and category of a page or screen call count as properties', () => {
    const { draft, props } = admitOne({ type: 'screen', name: 'Fractions 3', category: 'maths' })
    expect(draft.path).toBe('Fractions 3')
    expect(props).toEqual({ category: 'maths' })
  })
})

describe('each bad event is rejected with its own code, and the others go on', () => {
  const user = { userId: 'user-4711' }
  test.each<[string, unknown]>([
    ['invalid_event', null],
    ['invalid_event', 'text'],
    ['invalid_event', 7],
    ['invalid_event', []],
    ['invalid_event', { ...user, ...track('page_view', {}), properties: 'x' }],
    ['invalid_event', { ...user, ...track('page_view', {}), properties: [1] }],
    ['invalid_event', { ...user, type: 'track', event: 5 }],
    ['invalid_event', { ...user, type: 'page', context: 'x' }],
    ['invalid_event', { ...user, type: 'page', context: { page: 'x' } }],
    ['invalid_event', { ...user, type: 'page', context: { device: [] } }],
    ['invalid_event', { ...user, type: 'identify', traits: 3 }],
    ['unknown_type', {}],
    ['unknown_type', { ...user, type: 'delete' }],
    ['unknown_type', { ...user, type: { $ne: 1 } }],
    ['unknown_type', { ...user, type: 'constructor' }],
    ['unknown_event', { ...user, type: 'track' }],
    ['unknown_event', { ...user, ...track('Button Clicked', {}) }],
    ['unknown_event', { ...user, ...track('__proto__', {}) }],
    ['unknown_event', { ...user, ...track('identify', {}) }],
    ['missing_identity', { type: 'page' }],
    ['missing_identity', { type: 'page', userId: '', anonymousId: null }],
    ['missing_identity', { ...user, type: 'alias' }],
    ['missing_identity', { type: 'alias', previousId: 'a', anonymousId: 'b' }],
    ['invalid_identity', { type: 'page', userId: {} }],
    ['invalid_identity', { type: 'page', userId: 1.5 }],
    ['invalid_identity', { type: 'page', userId: 'x'.repeat(257) }],
    ['invalid_identity', { type: 'page', userId: 'a\ud800b' }],
    ['invalid_identity', { ...user, type: 'page', messageId: true }],
    ['invalid_identity', { ...user, type: 'page', context: { device: { id: [] } } }],
    ['invalid_property', { ...user, ...track('quiz', { score: '7' }) }],
    ['invalid_property', { ...user, ...track('quiz', { score: 1e16 }) }],
    ['invalid_property', { ...user, ...track('quiz', { score: {} }) }],
    ['invalid_property', { ...user, ...track('quiz', { score: 1, tries: 1.5 }) }],
    ['invalid_property', { ...user, ...track('quiz', { score: 1, topic: 'toString' }) }],
    ['invalid_property', { ...user, ...track('quiz', { score: 1, passed: 'yes' }) }],
    ['invalid_property', { ...user, ...track('quiz', { score: 1, note: 'x'.repeat(21) }) }],
    ['invalid_property', { ...user, ...track('quiz', { score: 1, school_id: {} }) }],
    ['invalid_property', { ...user, ...track('purchase', { revenue: '12,50' }) }],
    ['invalid_property', { ...user, ...track('purchase', { revenue: 1e12 }) }],
    ['invalid_property', { ...user, ...track('purchase', { currency: 'euro' }) }],
    ['invalid_property', { ...user, ...track('add_to_cart', { quantity: -1 }) }],
    ['missing_property', { ...user, ...track('quiz', {}) }],
    ['missing_property', { ...user, ...track('quiz', { score: null }) }],
    ['invalid_timestamp', { ...user, type: 'page', timestamp: 'yesterday' }],
    ['invalid_timestamp', { ...user, type: 'page', timestamp: {} }],
    ['invalid_timestamp', { ...user, type: 'page', timestamp: '2026-11-21T12:00:00.000Z', sentAt: 'now' }],
    ['too_old', { ...user, type: 'page', timestamp: '2026-10-01T12:00:00.000Z' }],
    ['too_old', { ...user, type: 'page', timestamp: 0 }],
  ])('%s: %j', (code, event) => {
    const admitted = admitEvents([event, { ...user, type: 'page' }])
    expect(admitted.rejected.map(({ index, code }) => ({ index, code }))).toEqual([{ index: 0, code }])
    expect(admitted.accepted).toBe(1)
  })

  test('infinite numbers, as JSON.parse makes of 1e999, are refused', () => {
    const event = JSON.parse('{"type":"track","event":"quiz","userId":"u","properties":{"score":1e999}}')
    const read = readBatch({ batch: [event] }, Buffer.alloc(0), 'batch')
    expect(read.ok && admit(read.batch, context).rejected[0]).toMatchObject({
      code: 'invalid_property',
      property: 'score',
    })
  })

  test('a rejection names the declared property and event, never what a client chose', () => {
    const [rejected] = admitEvents([
      { userId: 'u', ...track('quiz', { score: 'anna@example.com' }) },
    ]).rejected
    expect(rejected).toEqual({ index: 0, code: 'invalid_property', event: 'quiz', property: 'score' })
    const [unknown] = admitEvents([{ userId: 'u', ...track('anna@example.com', {}) }]).rejected
    expect(unknown).toEqual({ index: 0, code: 'unknown_event', event: '', property: '' })
  })

  test('deep nesting, many properties and large events', () => {
    const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)
    const nested = (event: object) => readAndAdmit({ batch: [{ userId: 'u', type: 'page', ...event }] })
    expect(nested({ properties: { x: deep } })).toBe('too_deep')
    expect(nested({ context: { x: deep } })).toBe('too_deep')
    expect(nested({ context: { page: { x: deep } } })).toBe('too_deep')
    expect(nested({ integrations: { x: deep } })).toBe('too_deep')
    expect(nested({ other: deep })).toBe('too_deep')
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`p${i}`, i]))
    expect(codeOf({ userId: 'u', type: 'page', properties: many })).toBe('too_many_properties')
    expect(codeOf({ userId: 'u', type: 'page', properties: { x: 'y'.repeat(33_000) } })).toBe(
      'event_too_large',
    )
    expect(codeOf({ userId: 'u', type: 'page', properties: { x: Array(20_000).fill(1) } })).toBe(
      'event_too_large',
    )
  })

  function readAndAdmit(json: unknown): string {
    const read = readBatch(json, Buffer.alloc(0), 'batch')
    return read.ok ? (admit(read.batch, context).rejected[0]?.code ?? 'accepted') : read.code
  }
})

describe('values', () => {
  test('null is absence, -0 is 0, money is rounded to four decimals', () => {
    expect(admitOne(track('quiz', { score: -0, note: null })).draft.props).toBe('{"score":0}')
    const revenue = (value: unknown) => admitOne(track('purchase', { revenue: value })).draft.revenue
    expect(revenue(19.99)).toBe(199_900)
    expect(revenue('19.99')).toBe(199_900)
    expect(revenue(-19.99)).toBe(-199_900)
    expect(revenue(0.00005)).toBe(1)
    expect(revenue(-0.00005)).toBe(-1)
    expect(Object.is(revenue(-0), 0)).toBe(true)
    expect(revenue(9e11)).toBe(9e15)
  })

  test('texts with quotes, control characters and broken surrogates stay valid JSON', () => {
    expect(admitOne(track('quiz', { score: 1, note: 'a"b\\c\n\u0000' })).props.note).toBe('a"b\\c\n\u0000')
    expect(admitOne(track('quiz', { score: 1, note: 'cut \ud83d' })).props.note).toBe('cut \ufffd')
    expect(admitOne({ type: 'page', properties: { path: '/cut\ud83d' } }).draft.path).toBe('/cut\ufffd')
  })

  test('personal data in a value is dropped and counted, the event stays', () => {
    const { props, dropped } = admitOne(
      track('purchase', {
        name: 'for anna@example.com',
        brand: '4111 1111 1111 1111',
        coupon: '+44 20 7946 0958',
        items: 1,
      }),
    )
    expect(props).toEqual({ items: 1 })
    expect(dropped).toEqual({ email: 1, payment_card: 1, phone: 1 })
  })

  test('a card or phone number sent as a number is dropped too', () => {
    expect(admitOne(track('quiz', { score: 1, tries: 4_111_111_111_111_111 })).dropped).toEqual({
      payment_card: 1,
    })
    expect(admitOne(track('quiz', { score: 1, tries: 4_155_552_671 })).dropped).toEqual({ phone: 1 })
    expect(admitOne(track('quiz', { score: 1, tries: 1_718_035_200_000 })).props.tries).toBe(
      1_718_035_200_000,
    )
  })
})

describe('paths', () => {
  const path = (value: string) => {
    const { draft, dropped } = admitOne({ type: 'page', properties: { path: value } })
    return [draft.path, dropped]
  }
  test.each<[string, string, object]>([
    ['/shoes/red', '/shoes/red', {}],
    ['/shoes?size=42&email=anna@example.com', '/shoes', {}],
    ['/shoes#reviews', '/shoes', {}],
    ['/shoes;jsessionid=ABC123', '/shoes', {}],
    ['https://shop.example/shoes?x=1', '/shoes', {}],
    ['https://anna@shop.example', '/', {}],
    ['https://shop.example?next=/account/anna', '/', {}],
    ['android-app://com.shop/shoes', '/shoes', {}],
    ['/login?next=https://shop.example/account/anna', '/login', {}],
    ['/go#https://shop.example/account/anna', '/go', {}],
    ['/out/https://shop.example/account', '/out/https://shop.example/account', {}],
    ['checkout?name=Anna&token=s3cr3t', 'checkout', {}],
    ['checkout;token=s3cr3t', 'checkout', {}],
    ['#/u/anna', '', {}],
    ['/users/anna@example.com/orders', '/users/:redacted/orders', { email: 1 }],
    ['/users/anna%40example.com', '/users/:redacted', { email: 1 }],
    ['/order/6f9619ff-8b86-d011-b42d-00c04fc964ff', '/order/:redacted', { opaque_id: 1 }],
    ['/reset/Zx81kLmN02pQr5tUvWxY', '/reset/:redacted', { opaque_id: 1 }],
    ['/users/user-4711/orders', '/users/:redacted/orders', { own_identifier: 1 }],
    ['/users/USER%2D4711/orders', '/users/:redacted/orders', { own_identifier: 1 }],
    ['/map/52.520008/13.404954', '', { location: 1 }],
    ['/4111/1111/1111/1111', '', { payment_card: 1 }],
    ['/blog/how-to-learn-fractions-in-2026', '/blog/how-to-learn-fractions-in-2026', {}],
    ['/artikel/größe-42', '/artikel/größe-42', {}],
  ])('%s is stored as %s', (raw, stored, dropped) => {
    expect(path(raw)).toEqual([stored, dropped])
  })

  test.each<[string, string]>([
    ['What comes next?', 'What comes next?'],
    ['Lesson #3; part 2', 'Lesson #3; part 2'],
    ['Fractions: 1/2 + 1/3', 'Fractions: 1/2 + 1/3'],
    ['checkout?name=Anna&token=s3cr3t', 'checkout'],
    ['Checkout; token=s3cr3t', 'Checkout'],
    ['tabs#/u/anna', 'tabs'],
    ['#/u/anna', ''],
    ['/login?next', '/login'],
    ['app://shop/login?next=/account/anna', '/login'],
  ])("a screen's name may have punctuation, but no query: %s is stored as %s", (name, stored) => {
    expect(admitOne({ type: 'screen', name }).draft.path).toBe(stored)
    expect(admitOne(track('screen', { name })).draft.path).toBe(stored)
  })
})

describe('identity', () => {
  const hmac = (kind: string, id: string) => createHmac('sha256', lookupKey).update(`${kind}\0${id}`).digest()
  const page = { type: 'page' }

  test('a handle is the HMAC of kind and id under the look-up key', () => {
    const { persons } = admitEvents([
      { ...page, userId: 'anna' },
      { ...page, anonymousId: 'anna' },
    ])
    expect(persons.map((person) => person.handle)).toEqual([hmac('user', 'anna'), hmac('anonymous', 'anna')])
  })

  test('a number names the same person as its text, and the user id goes before the anonymous id', () => {
    const { persons } = admitEvents([
      { ...page, userId: 42 },
      { ...page, userId: '42', anonymousId: 'a' },
    ])
    expect(persons.map((person) => person.events.length)).toEqual([2])
    expect(persons[0]?.links).toMatchObject([])
  })

  test('identify links the anonymous past to the user, once', () => {
    const event = { type: 'identify', userId: 'anna', anonymousId: 'anon' }
    const { persons } = admitEvents([event, event])
    expect(persons[0]?.links).toMatchObject([
      { kind: 'identify', from: hmac('anonymous', 'anon'), to: hmac('user', 'anna') },
    ])
  })

  test('alias links the previous id as both kinds, since Segment does not say which it was', () => {
    const { persons } = admitEvents([{ type: 'alias', userId: 'anna', previousId: 'old' }])
    expect(persons[0]?.links).toMatchObject([
      { kind: 'alias', from: hmac('anonymous', 'old'), to: hmac('user', 'anna') },
      { kind: 'alias', from: hmac('user', 'old'), to: hmac('user', 'anna') },
    ])
  })

  test('a message id that comes twice makes one row, and both count as accepted', () => {
    const event = { ...page, userId: 'anna', messageId: 'm-1' }
    const admitted = admitEvents([event, event, { ...event, userId: 'bob' }])
    expect(admitted.accepted).toBe(3)
    expect(admitted.persons.map((person) => person.events.length)).toEqual([1, 1])
  })

  test('an id of the person in another of its events is taken out', () => {
    const { persons, dropped } = admitEvents([
      { ...page, type: 'identify', userId: 'anna', anonymousId: 'anon-8871-x' },
      { ...page, userId: 'anna', properties: { name: 'seen anon-8871-x' } },
    ])
    expect(persons[0]?.events[1]?.props).toBe('{}')
    expect(dropped.get('own_identifier')).toBe(1)
  })

  test('a group id is not kept, and not found in a trait either', () => {
    const { draft, dropped } = admitOne({
      type: 'group',
      groupId: 'class-5b-nord',
      traits: { plan: 'class-5b-nord' },
    })
    expect(draft.props).toBe('{}')
    expect(dropped).toEqual({ trait: 1, own_identifier: 1 })
  })

  test('a quantity that equals a short user id is no leak', () => {
    const { persons } = admitEvents([{ userId: '2', ...track('add_to_cart', { quantity: 2, name: '2' }) }])
    expect(persons[0]?.events[0]?.props).toBe('{"quantity":2}')
  })
})

describe('clock', () => {
  const at = (event: object, envelope = {}) => admitOne({ type: 'page', ...event }, { envelope }).draft.ts
  test('a missing timestamp is the time of receipt', () => {
    expect(at({})).toBe(NOW)
  })
  test('a clock that is wrong by an hour is corrected by sentAt', () => {
    expect(at({ timestamp: '2026-11-21T13:00:00.000Z' }, { sentAt: '2026-11-21T13:00:10.000Z' })).toBe(
      NOW - 10_000,
    )
    expect(at({ timestamp: '2026-11-21T10:59:00.000Z' }, { sentAt: '2026-11-21T11:00:00.000Z' })).toBe(
      NOW - 60_000,
    )
  })
  test('without sentAt the timestamp stands, clamped when it is in the future', () => {
    expect(at({ timestamp: NOW - 5_000 })).toBe(NOW - 5_000)
    expect(at({ timestamp: NOW + 299_000 })).toBe(NOW + 299_000)
    expect(at({ timestamp: NOW + 301_000 })).toBe(NOW)
    expect(at({ timestamp: '2999-01-01T00:00:00.000Z' })).toBe(NOW)
  })
  test('the maximum age is the app`s, and never beyond 400 days', () => {
    const old = { userId: 'u', type: 'page', timestamp: NOW - 200 * 86_400_000 }
    const older = { ...old, timestamp: NOW - 401 * 86_400_000 }
    expect(codeOf(old)).toBe('too_old')
    expect(codeOf(old, { context: { app: { app: 'shop', maxAgeDays: 365 } } })).toBe('accepted')
    expect(codeOf(older, { context: { app: { app: 'shop', maxAgeDays: 9_999 } } })).toBe('too_old')
  })
})

describe('client IP', () => {
  test('is left out unless the app keeps a part of it', () => {
    expect(admitOne({ type: 'page' }, { context: { clientIp: '203.0.113.9' } }).draft.props).toBe('{}')
    const context = { app: { app: 'shop', ip: 'truncate' as const }, clientIp: '203.0.113.9' }
    expect(admitOne({ type: 'page' }, { context }).props).toEqual({ ip_prefix: '203.0.113.0/24' })
    expect(admitOne({ type: 'page', context: { ip: '2001:db8:7::1' } }, { context }).props).toEqual({
      ip_prefix: '2001:db8:7::/48',
    })
  })
})
