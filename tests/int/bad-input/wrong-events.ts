import { authorised, type BadInput, event } from './case.ts'

const json = (value: unknown) => JSON.stringify({ batch: [value] })
const long = (length: number) => 'x'.repeat(length)
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
const listed = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const day = 86_400_000

/** Values that are of no use where a text belongs. */
const NOT_TEXT = [true, 1.5, [], {}, ['a'], { a: 1 }]
const NOT_OBJECT = ['text', 1, true, [], [{}]]

const ENVELOPES: [text: string, expect: string][] = [
  ['null', '400 invalid_batch'],
  ['true', '400 invalid_batch'],
  ['12', '400 invalid_batch'],
  ['"text"', '400 invalid_batch'],
  ['[]', '400 invalid_batch'],
  ['[{"type":"track"}]', '400 invalid_batch'],
  ['{}', '400 invalid_batch'],
  ['{"Batch":[]}', '400 invalid_batch'],
  ['{"batch":null}', '400 invalid_batch'],
  ['{"batch":{}}', '400 invalid_batch'],
  ['{"batch":{"length":1}}', '400 invalid_batch'],
  ['{"batch":"text"}', '400 invalid_batch'],
  ['{"batch":1e400}', '400 invalid_batch'],
  ['{"__proto__":{"batch":[{}]}}', '400 invalid_batch'],
  ['{"batch":[]}', '400 empty_batch'],
  [`{"batch":[${'0,'.repeat(5_000)}0]}`, '400 too_many_events'],
  ['{"batch":[{}],"messageId":{}}', '400 invalid_batch'],
  ['{"batch":[{}],"messageId":[1]}', '400 invalid_batch'],
  [`{"batch":[{}],"messageId":"${long(300)}"}`, '400 invalid_batch'],
  ['{"batch":[{}],"messageId":"\\ud800"}', '400 invalid_batch'],
]

/** What stands in the list instead of an event. */
const NO_EVENTS: [text: string, expect: string][] = [
  ['null', 'rejected invalid_event'],
  ['true', 'rejected invalid_event'],
  ['0', 'rejected invalid_event'],
  ['1e400', 'rejected invalid_event'],
  ['"track"', 'rejected invalid_event'],
  ['[]', 'rejected invalid_event'],
  ['{}', 'rejected unknown_type'],
  ['{"__proto__":{"type":"track"}}', 'rejected unknown_type'],
  ['{"constructor":1}', 'rejected unknown_type'],
  [listed(50_000), 'rejected event_too_large'],
  [nested(2_000), 'rejected too_deep'],
]

const FIELDS: [field: string, values: unknown[], expect: string][] = [
  [
    'type',
    [null, '', 'Track', 'click', 1, true, [], {}, '__proto__', 'constructor', 'batch'],
    'rejected unknown_type',
  ],
  [
    'event',
    [null, '', 'no_such_event', 'Button_Click', '__proto__', 'constructor', long(5_000)],
    'rejected unknown_event',
  ],
  ['event', NOT_TEXT, 'rejected invalid_event'],
  ['anonymousId', [null, ''], 'rejected missing_identity'],
  ['anonymousId', [...NOT_TEXT, long(257), '\ud800', 'a\udc00', 1e300], 'rejected invalid_identity'],
  ['userId', [...NOT_TEXT, long(257), '\ud800'], 'rejected invalid_identity'],
  ['messageId', [...NOT_TEXT, long(257), '\ud800'], 'rejected invalid_identity'],
  [
    'timestamp',
    ['yesterday', '', '2026-13-01T00:00:00Z', '2026-02-30T25:00:00Z', long(1_000), '1e400'],
    'rejected invalid_timestamp',
  ],
  ['timestamp', [true, [], {}], 'rejected invalid_timestamp'],
  ['properties', NOT_OBJECT, 'rejected invalid_event'],
  ['context', NOT_OBJECT, 'rejected invalid_event'],
  ['traits', NOT_OBJECT, 'rejected invalid_event'],
]

const PROPERTIES: [event: string, properties: string, expect: string][] = [
  ['button_click', '{"element":1}', 'rejected invalid_property'],
  ['button_click', '{"element":["a"]}', 'rejected invalid_property'],
  ['button_click', '{"element":{"a":1}}', 'rejected invalid_property'],
  ['button_click', `{"element":"${long(129)}"}`, 'rejected invalid_property'],
  ['button_click', '{"position":"1"}', 'rejected invalid_property'],
  ['button_click', '{"position":1.5}', 'rejected invalid_property'],
  ['button_click', '{"position":-1}', 'rejected invalid_property'],
  ['button_click', '{"position":1e400}', 'rejected invalid_property'],
  ['button_click', '{"position":-1e400}', 'rejected invalid_property'],
  ['button_click', '{"position":1e15}', 'rejected invalid_property'],
  ['button_click', '{"correct":"true"}', 'rejected invalid_property'],
  ['button_click', '{"correct":1}', 'rejected invalid_property'],
  ['purchase', '{"revenue":"12,50"}', 'rejected invalid_property'],
  ['purchase', '{"revenue":"1e3"}', 'rejected invalid_property'],
  ['purchase', '{"revenue":1e400}', 'rejected invalid_property'],
  ['purchase', '{"revenue":1e13}', 'rejected invalid_property'],
  ['purchase', '{"revenue":{}}', 'rejected invalid_property'],
  ['purchase', '{"price":-1}', 'rejected invalid_property'],
  ['purchase', '{"currency":"EURO"}', 'rejected invalid_property'],
  ['purchase', '{"currency":"€"}', 'rejected invalid_property'],
  ['purchase', '{"payment_method":"bitcoin"}', 'rejected invalid_property'],
  ['purchase', '{"payment_method":"__proto__"}', 'rejected invalid_property'],
  ['purchase', '{"order_id":{}}', 'rejected invalid_property'],
  ['purchase', `{"order_id":"${long(257)}"}`, 'rejected invalid_property'],
  ['purchase', '{"items":99999999999999999999}', 'rejected invalid_property'],
  ['page_view', '{"scroll_percent":101}', 'rejected invalid_property'],
  ['page_view', `{"path":"/${long(2_100)}"}`, 'rejected invalid_property'],
  // Half an emoji, as clients leave it that cut texts: stored as U+FFFD.
  ['button_click', '{"element":"\\ud83d"}', 'accepted'],
  // Undeclared: left out and counted, whatever it is.
  ['button_click', '{"__proto__":{"element":"x"}}', 'accepted'],
  ['button_click', '{"constructor":{"prototype":{"polluted":true}}}', 'accepted'],
  ['button_click', '{"toString":1,"hasOwnProperty":2,"valueOf":3}', 'accepted'],
  ['button_click', '{"no_such":1e400}', 'accepted'],
  ['button_click', '{"":1}', 'accepted'],
  ['button_click', '{"\\ud800":1}', 'accepted'],
  ['button_click', `{"no_such":${nested(3)}}`, 'accepted'],
  ['button_click', `{"no_such":${nested(200)}}`, 'rejected too_deep'],
  ['button_click', `{"no_such":${listed(30_000)}}`, 'rejected event_too_large'],
  ['button_click', `{"no_such":${listed(10_000)}}`, 'rejected too_deep'],
  ['button_click', `{"no_such":"${long(33_000)}"}`, 'rejected event_too_large'],
  [
    'button_click',
    `{${Array.from({ length: 2_000 }, (_, i) => `"p${i}":1`).join(',')}}`,
    'rejected too_many_properties',
  ],
]

const at = (offsetMs: number) => new Date(Date.now() + offsetMs).toISOString()
const CLOCKS: [title: string, batch: Record<string, unknown>, timestamp: unknown, expect: string][] = [
  ['an hour ahead', {}, at(day / 24), 'accepted'],
  ['ten years ahead', {}, at(3_650 * day), 'accepted'],
  ['40 days ago', {}, at(-40 * day), 'rejected too_old'],
  ['1970', {}, 0, 'rejected too_old'],
  ['before 1970', {}, '1899-12-31T00:00:00Z', 'rejected invalid_timestamp'],
  ['year 9999', {}, '9999-12-31T23:59:59Z', 'accepted'],
  [
    'a clock ten years behind, corrected by sentAt',
    { sentAt: at(-3_650 * day) },
    at(-3_650 * day - 1_000),
    'accepted',
  ],
  ['a sentAt that is no time', { sentAt: 'soon' }, at(0), 'rejected invalid_timestamp'],
  ['a sentAt of another type', { sentAt: { a: 1 } }, at(0), 'rejected invalid_timestamp'],
]

const CALLS: [path: string, body: unknown, expect: string][] = [
  ['/v1/track', null, '400 invalid_batch'],
  ['/v1/track', [], '400 invalid_batch'],
  ['/v1/track', 'text', '400 invalid_batch'],
  ['/v1/track', {}, 'rejected unknown_event'],
  ['/v1/track', { anonymousId: 'bad-person' }, 'rejected unknown_event'],
  ['/v1/track', { event: 'button_click' }, 'rejected missing_identity'],
  ['/v1/page', {}, 'rejected missing_identity'],
  ['/v1/page', { anonymousId: 'bad-person', properties: 'x' }, 'rejected invalid_event'],
  ['/v1/screen', { anonymousId: {} }, 'rejected invalid_identity'],
  ['/v1/identify', {}, 'rejected missing_identity'],
  ['/v1/identify', { userId: 'bad-person', traits: [] }, 'rejected invalid_event'],
  ['/v1/alias', { userId: 'bad-person' }, 'rejected missing_identity'],
  ['/v1/alias', { previousId: 'bad-person' }, 'rejected missing_identity'],
  ['/v1/alias', { userId: 'bad-person', previousId: long(257) }, 'rejected invalid_identity'],
  ['/v1/group', {}, 'rejected missing_identity'],
]

/** Well-formed requests whose events are wrong. */
export const WRONG_EVENTS: BadInput[] = [
  ...ENVELOPES.map(([body, expect]) => ({
    title: `batch: ${body.slice(0, 60)}`,
    send: authorised({ body }),
    expect,
  })),
  ...NO_EVENTS.map(([text, expect]) => ({
    title: `event: ${text.slice(0, 60)}`,
    send: authorised({ body: `{"batch":[${text}]}` }),
    expect,
  })),
  ...FIELDS.flatMap(([field, values, expect]) =>
    values.map((value) => ({
      title: `${field}: ${JSON.stringify(value).slice(0, 60)}`,
      send: authorised({ body: json(event({ [field]: value })) }),
      expect,
    })),
  ),
  ...PROPERTIES.map(([name, properties, expect]) => ({
    title: `${name}: ${properties.slice(0, 60)}`,
    send: authorised({
      body: `{"batch":[{"type":"track","event":"${name}","anonymousId":"bad-person","properties":${properties}}]}`,
    }),
    expect,
  })),
  ...CLOCKS.map(([title, batch, timestamp, expect]) => ({
    title: `clock: ${title}`,
    send: authorised({ body: JSON.stringify({ ...batch, batch: [event({ timestamp })] }) }),
    expect,
  })),
  ...CALLS.map(([path, body, expect]) => ({
    title: `${path}: ${JSON.stringify(body)}`.slice(0, 80),
    send: authorised({ path, body: JSON.stringify(body) }),
    expect,
  })),
]
