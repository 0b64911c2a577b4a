import { AUTHORIZATION, authorised, type BadInput, event, WRITE_KEY } from './case.ts'

const good = JSON.stringify({ batch: [event({})] })
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

const KEYS: [title: string, headers: Record<string, string>, expect: string][] = [
  ['none at all', {}, '401 missing_write_key'],
  ['an unknown one', { authorization: basic('wk_unknown:') }, '401 unknown_write_key'],
  ['one in other capitals', { authorization: basic(`${WRITE_KEY.toUpperCase()}:`) }, '401 unknown_write_key'],
  ['one with a blank', { authorization: basic(`${WRITE_KEY} :`) }, '401 unknown_write_key'],
  ['half of one', { authorization: basic(`${WRITE_KEY.slice(0, 6)}:`) }, '401 unknown_write_key'],
  ['as the password', { authorization: basic(`:${WRITE_KEY}`) }, '401 missing_write_key'],
  ['as a bearer token', { authorization: `Bearer ${WRITE_KEY}` }, '401 missing_write_key'],
  ['not in base64', { authorization: `Basic ${WRITE_KEY}:` }, '401 missing_write_key'],
  ['only the word Basic', { authorization: 'Basic' }, '401 missing_write_key'],
  ['a very long one', { authorization: basic('k'.repeat(5_000)) }, '401 unknown_write_key'],
  [
    'bytes that are no text',
    { authorization: `Basic ${Buffer.from([0xff, 0xfe, 0x3a]).toString('base64')}` },
    '401 unknown_write_key',
  ],
  ["SQL's quotes", { authorization: basic("' OR 1=1 --:") }, '401 unknown_write_key'],
]

const METHODS = ['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'TRACE', 'PROPFIND']
const PATHS = [
  '/',
  '/v1',
  '/v1/',
  '/v2/batch',
  '/v1/batches',
  '/V1/BATCH',
  '/v1/batch/1',
  '/v1//batch',
  '/v1/%62atch',
  '/v1/constructor',
  '/v1/__proto__',
]

const head = (lines: string[]) =>
  `POST /v1/batch HTTP/1.1\r\nhost: x\r\nauthorization: ${AUTHORIZATION}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
const length = `content-length: ${good.length}`
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

const RAW: [title: string, raw: string | Buffer, expect: string][] = [
  ['no HTTP', 'hello\r\n\r\n', '400 invalid_http'],
  ['a TLS greeting', Buffer.from('16030100a5010000a10303', 'hex'), '400 invalid_http'],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '400 invalid_http'],
  ['HTTP/0.9', 'POST /v1/batch\r\n\r\n', '400 invalid_json'],
  ['a way up in the path', 'POST /../v1/batch HTTP/1.1\r\nhost: x\r\n\r\n', '404 not_found'],
  ['an unknown method', 'ADA /v1/batch HTTP/1.1\r\nhost: x\r\n\r\n', '400 invalid_http'],
  ['a blank in the target', 'POST /v1/ batch HTTP/1.1\r\nhost: x\r\n\r\n', '400 invalid_http'],
  ['a header without a colon', head(['ada', length]), '400 invalid_http'],
  ['a blank before a colon', head(['a da : 1', length]), '400 invalid_http'],
  ['a NUL in a header', head(['x: a\u0000b', length]), '400 invalid_http'],
  ['a bare carriage return in a header', head(['x: a\rb', length]), '400 invalid_http'],
  ['a negative length', head(['content-length: -1']) + good, '400 invalid_http'],
  ['a length that is no number', head(['content-length: ada']) + good, '400 invalid_http'],
  ['an empty length', head(['content-length: ']) + good, '400 invalid_http'],
  ['an endless length', head([`content-length: ${'9'.repeat(40)}`]) + good, '400 invalid_http'],
  ['two lengths', head([length, 'content-length: 3']) + good, '400 invalid_http'],
  ['a length and chunks', head([length, 'transfer-encoding: chunked']) + chunk(good), '400 invalid_http'],
  [
    'a chunk size that is no number',
    `${head(['transfer-encoding: chunked'])}zz\r\n${good}\r\n0\r\n\r\n`,
    '400 invalid_http',
  ],
  [
    'a chunk longer than its size',
    `${head(['transfer-encoding: chunked'])}3\r\n${good}\r\n0\r\n\r\n`,
    '400 invalid_http',
  ],
  ['an unknown transfer encoding', head(['transfer-encoding: ada']) + good, '400 invalid_http'],
  ['20 KB of headers', head([`x: ${'a'.repeat(20_000)}`, length]) + good, '431 headers_too_large'],
  [
    '2,000 headers',
    head([...Array.from({ length: 2_000 }, (_, i) => `x-${i}: 12345`), length]) + good,
    '431 headers_too_large',
  ],
  ['a length shorter than the body', head(['content-length: 10']) + good, '400 invalid_http'],
  ['a length of nothing', head(['content-length: 0']), '400 invalid_json'],
  ['no length and no chunks', head([]), '400 invalid_json'],
  ['a declared length beyond the bound', head(['content-length: 900000']), '413 body_too_large'],
  [
    'chunks beyond the bound',
    head(['transfer-encoding: chunked']) + chunk(' '.repeat(600_000)),
    '413 body_too_large',
  ],
  ['CONNECT', 'CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n', '405 method_not_allowed'],
  [
    'chunks, which are fine',
    `${head(['transfer-encoding: chunked']) + chunk(good.slice(0, 9)) + chunk(good.slice(9))}0\r\n\r\n`,
    'accepted',
  ],
  [
    'no Host, which is fine',
    `POST /v1/batch HTTP/1.1\r\nauthorization: ${AUTHORIZATION}\r\n${length}\r\n\r\n${good}`,
    'accepted',
  ],
  [
    'HTTP/1.0, which is fine',
    `POST /v1/batch HTTP/1.0\r\nauthorization: ${AUTHORIZATION}\r\n${length}\r\n\r\n${good}`,
    'accepted',
  ],
  [
    'a first key that is right and a second that is not, which is fine',
    head(['authorization: Basic eDo=', length]) + good,
    'accepted',
  ],
]

/** Requests that are wrong before their body matters. */
export const WRONG_REQUESTS: BadInput[] = [
  ...KEYS.map(([title, headers, expect]) => ({
    title: `write key: ${title}`,
    send: { headers, body: good },
    expect,
  })),
  {
    title: 'write key: an unknown one in the body',
    send: { body: JSON.stringify({ writeKey: 'wk_other', batch: [event({})] }) },
    expect: '401 unknown_write_key',
  },
  {
    title: 'write key: an empty one in the body',
    send: { body: JSON.stringify({ writeKey: '', batch: [event({})] }) },
    expect: '401 missing_write_key',
  },
  ...[1, true, [], {}].map((writeKey) => ({
    title: `write key: ${JSON.stringify(writeKey)} in the body`,
    send: { body: JSON.stringify({ writeKey, batch: [event({})] }) },
    expect: '400 invalid_batch',
  })),
  ...METHODS.map((method) => ({
    title: `method: ${method}`,
    send: authorised({ method, headers: { 'content-length': '0' } }),
    expect: method === 'HEAD' ? '405' : '405 method_not_allowed',
  })),
  ...PATHS.map((path) => ({
    title: `path: ${path}`,
    send: authorised({ path, body: good }),
    expect: '404 not_found',
  })),
  ...RAW.map(([title, raw, expect]) => ({ title: `HTTP: ${title}`, send: { raw }, expect })),
  {
    title: 'HTTP: a body that ends early',
    send: { raw: head(['content-length: 5000']) + good, end: true },
    expect: '400 invalid_http',
  },
]
