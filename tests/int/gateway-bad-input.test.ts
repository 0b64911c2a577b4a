import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GATEWAY_ERROR_CODES } from '../../gateway/error.ts'
import { createRateLimit } from '../../gateway/rate-limit.ts'
import { EbbError } from '../../runtime/errors.ts'
import { createGatewayStage, type GatewayStage, IN_A_YEAR, readAudit } from '../gateway-stage.ts'

let gateway: GatewayStage
let compliance = ''
let foreign = ''
const ids = { own: '', foreign: '' }

const NEW = 'POST /v1/privacy/requests'
const PERSON = { label: 'email', value: 'planted-canary@example.com' }
const GOOD = { app: 'shop', identifiers: [PERSON], proof: 'account-session' }

beforeAll(async () => {
  gateway = await createGatewayStage()
  compliance = (await gateway.token({ role: 'compliance', apps: ['shop'] })).token
  foreign = (await gateway.token({ role: 'compliance', apps: ['other'] })).token
  ids.own = await submit(compliance, GOOD)
  ids.foreign = await submit(foreign, { ...GOOD, app: 'other' })
})
afterAll(() => gateway?.close())

async function submit(token: string, body: object): Promise<string> {
  const answer = await gateway.call(NEW, { token, body })
  expect(answer.status, answer.text).toBe(202)
  return (JSON.parse(answer.text) as { requestId: string }).requestId
}

const onOwn = (rest: string) => () => rest.replace('ID', ids.own)
const at = (route: string) => () => route
const json = (text: string) => text

interface Case {
  name: string
  route: () => string
  body?: unknown
  headers?: Record<string, string>
  /** Default: the officer of `shop`. */
  token?: () => string
  code: string
}

const bodies: [string, unknown, string][] = [
  ['no body', '', 'invalid_body'],
  ['null', json('null'), 'invalid_body'],
  ['a number', json('7'), 'invalid_body'],
  ['a text', json('"planted-canary@example.com"'), 'invalid_body'],
  ['an array', [GOOD], 'invalid_body'],
  ['an empty object', {}, 'invalid_body'],
  ['broken JSON', json('{"app":"shop",'), 'invalid_json'],
  ['JSON with a tail', json(`${JSON.stringify(GOOD)}x`), 'invalid_json'],
  ['single quotes', json("{'app':'shop'}"), 'invalid_json'],
  ['a byte order mark', json(`\ufeff${JSON.stringify(GOOD)}`), 'invalid_json'],
  ['NaN', json('NaN'), 'invalid_json'],
  ['no app', { ...GOOD, app: undefined }, 'invalid_body'],
  ['an app of another kind', { ...GOOD, app: 7 }, 'invalid_body'],
  ['an app with a slash', { ...GOOD, app: 'shop/../other' }, 'invalid_body'],
  ['an app with SQL', { ...GOOD, app: "shop' OR 1=1 --" }, 'invalid_body'],
  ['an app of another officer', { ...GOOD, app: 'other' }, 'app_forbidden'],
  ['an app that does not exist', { ...GOOD, app: 'nowhere' }, 'app_forbidden'],
  ['no identifiers', { ...GOOD, identifiers: undefined }, 'invalid_body'],
  ['an empty list of identifiers', { ...GOOD, identifiers: [] }, 'invalid_body'],
  ['21 identifiers', { ...GOOD, identifiers: Array.from({ length: 21 }, () => PERSON) }, 'invalid_body'],
  ['an identifier as text', { ...GOOD, identifiers: ['planted-canary@example.com'] }, 'invalid_body'],
  ['an unknown label', { ...GOOD, identifiers: [{ label: 'passport', value: 'x' }] }, 'invalid_body'],
  ['an empty value', { ...GOOD, identifiers: [{ label: 'email', value: '' }] }, 'invalid_body'],
  ['257 letters', { ...GOOD, identifiers: [{ label: 'email', value: 'a'.repeat(257) }] }, 'invalid_body'],
  [
    'half a character',
    { ...GOOD, identifiers: [{ label: 'userId', value: '\ud800' }] },
    'invalid_identifier',
  ],
  ['a value that is an object', { ...GOOD, identifiers: [{ label: 'email', value: {} }] }, 'invalid_body'],
  ['an identifier with a third key', { ...GOOD, identifiers: [{ ...PERSON, x: 1 }] }, 'invalid_body'],
  ['no proof of identity', { ...GOOD, proof: undefined }, 'proof_required'],
  ['a proof that is none', { ...GOOD, proof: 'trust-me' }, 'proof_required'],
  ['a proof that is null', { ...GOOD, proof: null }, 'proof_required'],
  ['a key too many', { ...GOOD, force: true }, 'invalid_body'],
  ['a state of its own', { ...GOOD, state: 'closed' }, 'invalid_body'],
  ['an id of its own', { ...GOOD, requestId: randomUUID() }, 'invalid_body'],
  ['__proto__', json(`{"__proto__":{"role":"compliance"},${JSON.stringify(GOOD).slice(1)}`), 'invalid_body'],
  ['constructor', { ...GOOD, constructor: { prototype: { apps: null } } }, 'invalid_body'],
  ['__proto__ deep down', json('{"app":"shop","identifiers":[{"__proto__":{"a":1}}]}'), 'invalid_body'],
  ['17 KiB', { ...GOOD, filler: 'x'.repeat(17 * 1024) }, 'body_too_large'],
  ['deep nesting', json('['.repeat(4_000) + ']'.repeat(4_000)), 'invalid_json'],
]

const cases: Case[] = [
  ...bodies.map(([name, body, code]): Case => ({ name: `new request: ${name}`, route: at(NEW), body, code })),
  ...[
    ['text/plain', 'text/plain'],
    ['a form', 'application/x-www-form-urlencoded'],
    ['XML', 'application/xml'],
    ['multipart', 'multipart/form-data; boundary=x'],
    ['JSON by a near name', 'application/jsonp'],
    ['an empty type', ' '],
  ].map(
    ([name, type]): Case => ({
      name: `content type: ${name}`,
      route: at(NEW),
      body: GOOD,
      headers: { 'content-type': type! },
      code: 'unsupported_media_type',
    }),
  ),
  {
    name: 'a compressed body',
    route: at(NEW),
    body: GOOD,
    headers: { 'content-encoding': 'gzip' },
    code: 'unsupported_media_type',
  },
  ...[
    ['not a UUID', 'not-a-uuid'],
    ['in upper case', 'A2E72EBA-F7BE-410A-BD50-2CC93D0797B8'],
    ['SQL', "1'%20OR%20'1'='1"],
    ['a zero byte', '%00'],
    ['an e-mail address', 'planted-canary@example.com'],
    ['a path upwards', '..%2f..%2fetc'],
  ].map(
    ([name, id]): Case => ({
      name: `id: ${name}`,
      route: at(`GET /v1/privacy/requests/${id}`),
      code: 'invalid_id',
    }),
  ),
  {
    name: 'id: 200 letters',
    route: at(`GET /v1/privacy/requests/${'a'.repeat(200)}`),
    code: 'path_too_long',
  },
  { name: 'id: a broken escape', route: at('GET /v1/privacy/requests/%zz'), code: 'not_found' },
  {
    name: 'id: nobody has it',
    route: at(`GET /v1/privacy/requests/${randomUUID()}`),
    code: 'request_unknown',
  },
  {
    name: 'id: another app has it',
    route: () => `GET /v1/privacy/requests/${ids.foreign}`,
    code: 'request_unknown',
  },
  {
    name: 'cancel: another app has it',
    route: () => `POST /v1/privacy/requests/${ids.foreign}/cancel`,
    code: 'request_unknown',
  },
  {
    name: 'hold: a malformed hold id',
    route: onOwn('DELETE /v1/privacy/requests/ID/holds/1'),
    code: 'invalid_id',
  },
  { name: 'hold: no body', route: onOwn('POST /v1/privacy/requests/ID/holds'), code: 'invalid_body' },
  ...(
    [
      ['in the past', { until: '2020-01-01T00:00:00Z' }, 'invalid_hold'],
      ['for a century', { until: '2126-01-01T00:00:00Z' }, 'invalid_hold'],
      ['no date', { until: 'for ever' }, 'invalid_body'],
      ['no fields', { fields: [] }, 'invalid_body'],
      ['a field with a canary', { fields: ['planted-canary@example.com'] }, 'invalid_body'],
      ['no article', { article: '' }, 'invalid_body'],
      ['markup as article', { article: '<script>alert(1)</script>' }, 'invalid_body'],
      ['somebody else placed it', { placedBy: 'cli:root' }, 'invalid_body'],
    ] as const
  ).map(
    ([name, change, code]): Case => ({
      name: `hold: ${name}`,
      route: onOwn('POST /v1/privacy/requests/ID/holds'),
      body: { fields: ['email'], article: 'GDPR Art. 17(3)(e)', until: IN_A_YEAR, ...change },
      code,
    }),
  ),
  {
    name: 'refusal: a reason of its own',
    route: onOwn('POST /v1/privacy/requests/ID/refuse'),
    body: { article: 'GDPR Art. 12(5)', reason: 'planted-canary@example.com is a nuisance' },
    code: 'invalid_body',
  },
  {
    name: 'cancel: with a body',
    route: onOwn('POST /v1/privacy/requests/ID/cancel'),
    body: { force: true },
    code: 'invalid_body',
  },
  ...(
    [
      ['another app has it', () => `POST /v1/privacy/requests/${ids.foreign}/partial`, 'request_unknown'],
      ['nobody has it', at(`POST /v1/privacy/requests/${randomUUID()}/partial`), 'request_unknown'],
      ['a malformed id', at('POST /v1/privacy/requests/1/partial'), 'invalid_id'],
      ['by GET', onOwn('GET /v1/privacy/requests/ID/partial'), 'method_not_allowed'],
    ] as const
  ).map(([name, route, code]): Case => ({ name: `partial certificate: ${name}`, route, code })),
  {
    name: 'partial certificate: with stores of its own',
    route: onOwn('POST /v1/privacy/requests/ID/partial'),
    body: { unreachable: ['clickhouse/events'] },
    code: 'invalid_body',
  },
  ...['done', 'batchDone', 'signal/batchDone', 'callback', 'certify', 'state'].map(
    (rest): Case => ({
      name: `a forged word to the saga: ${rest}`,
      route: onOwn(`POST /v1/privacy/requests/ID/${rest}`),
      body: { stage: 'erase', blocked: [] },
      code: 'not_found',
    }),
  ),
  {
    name: 'another method',
    route: onOwn('PUT /v1/privacy/requests/ID'),
    body: {},
    code: 'method_not_allowed',
  },
  { name: 'DELETE of a request', route: onOwn('DELETE /v1/privacy/requests/ID'), code: 'method_not_allowed' },
  {
    name: 'a path that is not there',
    route: at('GET /v1/privacy/persons/planted-canary'),
    code: 'not_found',
  },
  { name: 'the administrator', route: at('GET /admin'), code: 'not_found' },
  ...[
    'state=erased',
    'month=2026-13',
    'month=2026',
    'limit=0',
    'limit=9999',
    'limit=x',
    'email=a@b.c',
    'state=held&state=closed',
    'before=yesterday',
    '__proto__[a]=1',
  ].map(
    (query): Case => ({
      name: `query: ${query}`,
      route: at(`GET /v1/privacy/requests?${query}`),
      code: 'invalid_query',
    }),
  ),
  { name: 'report: no month', route: at('GET /v1/privacy/report'), code: 'invalid_query' },
  {
    name: 'certificate: an unknown format',
    route: onOwn('GET /v1/privacy/requests/ID/certificate?format=pdf'),
    code: 'invalid_query',
  },
  {
    name: 'certificate: not issued yet',
    route: onOwn('GET /v1/privacy/requests/ID/certificate'),
    code: 'certificate_unknown',
  },
  {
    name: 'certificate: of a digest that nobody signed',
    route: onOwn(`GET /v1/privacy/requests/ID/certificate?digest=${'0'.repeat(64)}`),
    code: 'certificate_unknown',
  },
  ...[
    ['Basic', 'Basic YTpi'],
    ['no word', 'Bearer'],
    ['two tokens', 'Bearer a b'],
    ['a comma', `Bearer ebb_${'A'.repeat(32)}, Bearer x`],
  ].map(
    ([name, authorization]): Case => ({
      name: `token: ${name}`,
      route: at('GET /v1/privacy/requests'),
      headers: { authorization: authorization! },
      token: () => '',
      code: 'token_missing',
    }),
  ),
  ...[
    ['too short', 'ebb_short'],
    ['of another system', 'ghp_0123456789abcdef0123456789abcdef0123'],
    ['a JWT without a signature', 'eyJhbGciOiJub25lIn0.eyJyb2xlIjoiY29tcGxpYW5jZSJ9.'],
    ['200 letters', 'x'.repeat(200)],
  ].map(
    ([name, token]): Case => ({
      name: `token: ${name}`,
      route: at('GET /v1/privacy/requests'),
      token: () => token!,
      code: 'token_invalid',
    }),
  ),
]

describe('bad input', () => {
  test('is at least 60 cases', () => expect(cases.length).toBeGreaterThanOrEqual(60))

  test.each(cases)('$name → $code', async ({ route, body, headers, token, code }) => {
    const before = (await readAudit(gateway.postgres)).length
    const secret = (token ?? (() => compliance))()
    const answer = await gateway.call(route(), {
      ...(secret && { token: secret }),
      ...(body !== undefined && { body }),
      ...(headers && { headers }),
    })
    expect(answer.code).toBe(code)
    expect(GATEWAY_ERROR_CODES).toContain(answer.code)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(Object.keys(JSON.parse(answer.text) as object)).toEqual(['code', 'message'])
    expect(answer.text).not.toContain('canary')
    const rows = (await readAudit(gateway.postgres)).slice(before)
    expect(rows.map((row) => row.outcome)).toEqual([`${answer.status} ${code}`])
  })

  // What no HTTP client would send.
  const raw: [string, string, number][] = [
    ['not HTTP', 'HELLO\r\n\r\n', 400],
    ['a header split in two', 'GET /health HTTP/1.1\r\nHost: x\r\nX: a\rSet-Cookie: b=1\r\n\r\n', 400],
    [
      'two lengths',
      `POST /v1/privacy/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na`,
      400,
    ],
    [
      'length and chunks',
      `POST /v1/privacy/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    [
      '20 KiB of headers',
      `GET /v1/privacy/requests HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
    ],
    [
      'a zero byte in a header',
      'GET /v1/privacy/requests HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\0b\r\n\r\n',
      400,
    ],
  ]
  test.each(raw)('on the bare socket: %s', async (_, text, status) => {
    const before = (await readAudit(gateway.postgres)).length
    const answer = await sendRaw(text)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer.toLowerCase()).not.toContain('set-cookie')
    await expect.poll(async () => (await readAudit(gateway.postgres)).length).toBe(before + 1)
  })

  function sendRaw(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(gateway.port, '127.0.0.1', () => socket.write(text))
      let answer = ''
      socket.on('data', (data) => {
        answer += String(data)
      })
      socket.on('close', () => resolve(answer))
      socket.on('error', reject)
    })
  }

  test('left nothing in any prototype, and nothing of a person in the audit log', async () => {
    expect(({} as Record<string, unknown>).role).toBeUndefined()
    const text = JSON.stringify(await readAudit(gateway.postgres))
    expect(text).not.toContain('canary')
    expect(text).not.toContain('passport')
    for (const secret of [compliance, foreign]) expect(text).not.toContain(secret)
  })

  test('a duplicate joins the running request, and answers as the first did', async () => {
    const again = await gateway.call(NEW, { token: compliance, body: GOOD })
    expect([again.status, JSON.parse(again.text)]).toEqual([
      202,
      { requestId: ids.own, status: `/v1/privacy/requests/${ids.own}` },
    ])
  })
})

describe('no oracle', () => {
  /** An answer with ids and times taken out. */
  const shapeOf = (answer: { status: number; headers: Headers; text: string }) => ({
    status: answer.status,
    headers: [...answer.headers].filter(([name]) => name !== 'date').map(blur),
    text: blur(answer.text),
  })
  const blur = <T>(value: T): T =>
    JSON.parse(
      JSON.stringify(value)
        .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
        .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'),
    ) as T

  test('a person whom the app knows, one whom it never saw, and one erased before: byte for byte the same', async () => {
    const known = 'known@example.com'
    const lookupKey = await gateway.keyring.appLookupKey('shop')
    const { handlesOf } = await import('../../postgres/privacy-requests.ts')
    const [handle] = handlesOf(lookupKey, [{ label: 'userId', value: known }])
    await gateway.postgres.query(
      'test_subject',
      'INSERT INTO subjects (handle, subject_id, app) VALUES ($1, $2, $3)',
      [handle, randomUUID(), 'shop'],
    )
    const answers = []
    for (const value of [known, 'never-seen@example.com']) {
      const body = { ...GOOD, identifiers: [{ label: 'userId', value }] }
      const made = await gateway.call(NEW, { token: compliance, body })
      const { requestId } = JSON.parse(made.text) as { requestId: string }
      const read = await gateway.call(`GET /v1/privacy/requests/${requestId}`, { token: compliance })
      answers.push([shapeOf(made), shapeOf(read)])
    }
    expect(answers[0]).toEqual(answers[1])
  })

  test('a foreign request, and one that is not there: byte for byte the same, on every route', async () => {
    for (const route of [
      'GET',
      'POST cancel',
      'POST retry',
      'POST partial',
      'GET certificate',
      'GET certificate?format=salt',
    ]) {
      const [method, rest] = route.split(' ')
      const answers = []
      for (const id of [ids.foreign, randomUUID()]) {
        const path = `/v1/privacy/requests/${id}${rest ? `/${rest}` : ''}`
        answers.push(shapeOf(await gateway.call(`${method} ${path}`, { token: compliance })))
      }
      expect(answers[0], route).toEqual(answers[1])
      expect(answers[0]!.status).toBe(404)
    }
  })

  test("an app of somebody else's, and one that does not exist: the same", async () => {
    const answers = []
    for (const app of ['other', 'nowhere']) {
      answers.push(shapeOf(await gateway.call(NEW, { token: compliance, body: { ...GOOD, app } })))
    }
    expect(answers[0]).toEqual(answers[1])
  })
})

describe('limits and the audit log', () => {
  test('beyond a limit: 429 and when to come again, gathered in the audit log; others go on', async () => {
    const limits = { token: createRateLimit({ perMinute: 3 }), address: createRateLimit({ perMinute: 100 }) }
    const limited = await createGatewayStage({ deps: { limits } })
    try {
      const flood = await limited.token({ role: 'operator' })
      const calm = await limited.token({ role: 'operator' })
      const call = (token: string) => limited.call('GET /v1/privacy/requests', { token })
      const statuses = []
      for (let tries = 0; tries < 20; tries++) statuses.push((await call(flood.token)).status)
      expect(statuses).toEqual([200, 200, 200, ...Array.from({ length: 17 }, () => 429)])
      const refused = await call(flood.token)
      expect([refused.code, refused.headers.get('retry-after')]).toEqual(['rate_limited', '5'])
      expect((await call(calm.token)).status).toBe(200)
      const counted = async () =>
        (await readAudit(limited.postgres))
          .filter((row) => row.outcome.startsWith('429'))
          .reduce((sum, { outcome }) => sum + Number(/ x(\d+)$/.exec(outcome)?.[1] ?? 1), 0)
      await expect.poll(counted, { timeout: 5_000 }).toBe(18)
    } finally {
      await limited.close()
    }
  })

  test('what cannot be written down is not answered', async () => {
    const audit = { append: () => Promise.reject(new EbbError('audit_unavailable', 'away')) }
    const mute = await createGatewayStage({ deps: { audit } })
    try {
      const { token } = await mute.token({ role: 'compliance' })
      const answer = await mute.call(NEW, { token, body: GOOD })
      expect([answer.status, answer.code, answer.headers.get('location')]).toEqual([
        503,
        'audit_unavailable',
        null,
      ])
    } finally {
      await mute.close()
    }
  })

  test('an app that does not exist is named to an officer of all apps alone', async () => {
    const { token } = await gateway.token({ role: 'compliance', apps: null })
    const answer = await gateway.call(NEW, { token, body: { ...GOOD, app: 'nowhere' } })
    expect([answer.status, answer.code]).toEqual([404, 'app_unknown'])
  })
})

describe('the pace', () => {
  test('answers leave at multiples of it, whatever they had to look up', async () => {
    const paced = await createGatewayStage({ deps: { paceMs: 150 } })
    try {
      const { token } = await paced.token({ role: 'compliance', apps: ['shop'] })
      await paced.call(`GET /v1/privacy/requests/${randomUUID()}`, { token })
      for (const id of [randomUUID(), randomUUID(), randomUUID()]) {
        const startedAt = performance.now()
        await paced.call(`GET /v1/privacy/requests/${id}`, { token })
        expect(performance.now() - startedAt).toBeGreaterThanOrEqual(148)
      }
    } finally {
      await paced.close()
    }
  })
})
