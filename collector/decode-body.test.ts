import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { decompressBody, parseBody } from './decode-body.ts'
import { MAX_BODY_BYTES } from './read-body.ts'

const text = Buffer.from(JSON.stringify({ batch: [{ type: 'track', event: 'page_view' }] }))

test('A body comes back the same from each encoding that clients use', () => {
  expect(decompressBody(text, undefined)).toEqual(text)
  expect(decompressBody(text, 'identity')).toEqual(text)
  expect(decompressBody(gzipSync(text), 'gzip')).toEqual(text)
  expect(decompressBody(gzipSync(text), ' GZIP ')).toEqual(text)
  expect(decompressBody(deflateSync(text), 'deflate')).toEqual(text)
  expect(decompressBody(deflateRawSync(text), 'deflate')).toEqual(text)
})

test('A bomb is refused as soon as it passes the bound', () => {
  const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024), { level: 9 })
  const before = process.memoryUsage.rss()
  expect(() => decompressBody(bomb, 'gzip')).toThrow(expect.objectContaining({ code: 'body_too_large' }))
  expect(process.memoryUsage.rss() - before).toBeLessThan(50 * 1024 * 1024)
  expect(decompressBody(gzipSync(Buffer.alloc(MAX_BODY_BYTES)), 'gzip')).toHaveLength(MAX_BODY_BYTES)
})

test('A broken, truncated or mislabelled body is told from a bad encoding name', () => {
  const zipped = gzipSync(text)
  const flipped = Buffer.from(zipped)
  flipped[zipped.length - 6]! ^= 1
  for (const body of [zipped.subarray(0, -1), zipped.subarray(0, 5), Buffer.alloc(0), text, flipped]) {
    expect(() => decompressBody(body, 'gzip')).toThrow(expect.objectContaining({ code: 'invalid_encoding' }))
  }
  for (const name of ['br', 'zstd', 'gzip, gzip', 'compress']) {
    expect(() => decompressBody(text, name)).toThrow(
      expect.objectContaining({ code: 'unsupported_encoding' }),
    )
  }
})

test('Bytes that are not UTF-8 are refused, not replaced', () => {
  const cases = [[0xff], [0xc3], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc0, 0xaf]]
  for (const bytes of cases) {
    const body = Buffer.concat([Buffer.from('"'), Buffer.from(bytes), Buffer.from('"')])
    expect(() => parseBody(body)).toThrow(expect.objectContaining({ code: 'invalid_utf8' }))
  }
  expect(parseBody(Buffer.from('"é😀"'))).toBe('é😀')
})

test('A body that is not JSON is refused without quoting it', () => {
  for (const body of ['', ' ', '{', '{"a":}', 'ada@example.com', '\ufeff{}', '{"a":1}x', "{'a':1}", 'NaN']) {
    try {
      parseBody(Buffer.from(body))
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_json', cause: undefined })
    }
  }
})
