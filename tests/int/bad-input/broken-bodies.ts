import { deflateSync, gzipSync } from 'node:zlib'
import { authorised, type BadInput, event } from './case.ts'

const good = JSON.stringify({ batch: [event({})] })
const zipped = gzipSync(good)

const flip = (bytes: Buffer, at: number) => {
  const flipped = Buffer.from(bytes)
  flipped[at]! ^= 0xff
  return flipped
}
const around = (bytes: number[]) =>
  Buffer.concat([
    Buffer.from('{"batch":[{"type":"track","event":"page_view","userId":"'),
    Buffer.from(bytes),
    Buffer.from('"}]}'),
  ])

const NOT_JSON: [title: string, text: string][] = [
  ['nothing', ''],
  ['blanks', ' \n\t '],
  ['a brace', '{'],
  ['a closing brace', '}'],
  ['half a batch', good.slice(0, -2)],
  ['a batch and a half', `${good}{`],
  ['two batches', `${good}${good}`],
  ['JSON lines', `${good}\n${good}`],
  ['a comma too many', '{"batch":[],}'],
  ['a comma too many in a list', '{"batch":[{},]}'],
  ['a comma missing', '{"batch":[{}{}]}'],
  ['single quotes', "{'batch':[]}"],
  ['no quotes', '{batch:[]}'],
  ['a comment', '{"batch":[]/* no */}'],
  ['NaN', '{"batch":NaN}'],
  ['Infinity', '{"batch":-Infinity}'],
  ['undefined', 'undefined'],
  ['hexadecimal', '{"batch":0x10}'],
  ['a number with a leading zero', '{"batch":01}'],
  ['a plus sign', '{"batch":+1}'],
  ['a bare dot', '{"batch":1.}'],
  ['an empty exponent', '{"batch":1e}'],
  ['an unknown escape', '{"batch":"\\x41"}'],
  ['half a unicode escape', '{"batch":"\\u00"}'],
  ['an unclosed string', '{"batch":"'],
  ['a bare line break in a string', '{"batch":"\n"}'],
  ['a NUL in a string', '{"batch":"\u0000"}'],
  ['NUL bytes', '\u0000\u0000\u0000\u0000'],
  ['a byte order mark', `\ufeff${good}`],
  ['a wrong literal', '{"batch":nul}'],
  ['capital TRUE', '{"batch":TRUE}'],
  ['XML', '<?xml version="1.0"?><batch/>'],
  ['a form', 'type=track&event=page_view'],
  ['100,000 opening brackets', '['.repeat(100_000)],
  ['100,000 opening objects', '{"a":'.repeat(80_000)],
]

const NOT_UTF8: [title: string, bytes: number[]][] = [
  ['0xff', [0xff]],
  ['0xfe 0xff (UTF-16)', [0xfe, 0xff]],
  ['a lone continuation byte', [0x80]],
  ['a cut two-byte sequence', [0xc3]],
  ['a cut three-byte sequence', [0xe2, 0x82]],
  ['a cut four-byte sequence', [0xf0, 0x9f, 0x98]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['an overlong NUL', [0xe0, 0x80, 0x80]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['a five-byte sequence', [0xf8, 0x88, 0x80, 0x80, 0x80]],
  ['Latin-1', [0xe9]],
]

const ENCODED: [title: string, encoding: string, body: Buffer | string, expect: string][] = [
  ['a gzip without its last byte', 'gzip', zipped.subarray(0, -1), '400 invalid_encoding'],
  ['half a gzip', 'gzip', zipped.subarray(0, zipped.length / 2), '400 invalid_encoding'],
  ['only the header of a gzip', 'gzip', zipped.subarray(0, 10), '400 invalid_encoding'],
  ['an empty body as gzip', 'gzip', '', '400 invalid_encoding'],
  ['plain JSON as gzip', 'gzip', good, '400 invalid_encoding'],
  ['a gzip with a wrong checksum', 'gzip', flip(zipped, zipped.length - 7), '400 invalid_encoding'],
  ['a gzip with a wrong length', 'gzip', flip(zipped, zipped.length - 2), '400 invalid_encoding'],
  ['a gzip with a flipped bit', 'gzip', flip(zipped, 20), '400 invalid_encoding'],
  ['a gzip of another method', 'gzip', flip(zipped, 2), '400 invalid_encoding'],
  ['random bytes as gzip', 'gzip', Buffer.alloc(1_000, 'qxyz'), '400 invalid_encoding'],
  ['a gzip said to be deflate', 'deflate', zipped, '400 invalid_encoding'],
  ['half a deflate', 'deflate', deflateSync(good).subarray(0, 20), '400 invalid_encoding'],
  ['plain JSON as deflate', 'deflate', good, '400 invalid_encoding'],
  ['a gzip within a gzip', 'gzip', gzipSync(zipped), '400 invalid_utf8'],
  ['a gzip not said to be one', 'identity', zipped, '400 invalid_utf8'],
  ['a bomb of 100 MB', 'gzip', gzipSync(Buffer.alloc(100e6)), '413 body_too_large'],
  ['a bomb of 50 MB of brackets', 'gzip', gzipSync(Buffer.alloc(50e6, '[')), '413 body_too_large'],
  ['a deflate bomb', 'deflate', deflateSync(Buffer.alloc(100e6)), '413 body_too_large'],
  ['one byte too many when inflated', 'gzip', gzipSync(Buffer.alloc(512_001, ' ')), '413 body_too_large'],
  ['brotli', 'br', good, '415 unsupported_encoding'],
  ['zstd', 'zstd', good, '415 unsupported_encoding'],
  ['two encodings', 'gzip, gzip', gzipSync(zipped), '415 unsupported_encoding'],
  ['an unknown encoding', 'ada', good, '415 unsupported_encoding'],
]

/** Bodies that never become events. */
export const BROKEN_BODIES: BadInput[] = [
  ...NOT_JSON.map(([title, body]) => ({
    title: `body: ${title}`,
    send: authorised({ body }),
    expect: '400 invalid_json',
  })),
  ...NOT_UTF8.map(([title, bytes]) => ({
    title: `not UTF-8: ${title}`,
    send: authorised({ body: around(bytes) }),
    expect: '400 invalid_utf8',
  })),
  ...ENCODED.map(([title, encoding, body, expect]) => ({
    title: `encoding: ${title}`,
    send: authorised({ body, headers: { 'content-encoding': encoding } }),
    expect,
  })),
  {
    title: 'body: one byte too many',
    send: authorised({ body: good.padEnd(512_001) }),
    expect: '413 body_too_large',
  },
  { title: 'body: 3 MB', send: authorised({ body: good.padEnd(3e6) }), expect: '413 body_too_large' },
]
