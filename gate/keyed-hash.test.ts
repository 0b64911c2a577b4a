import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createKeyedHash, hashBytes, hashText } from './keyed-hash.ts'

const key = fc.uint8Array({ minLength: 0, maxLength: 64 })
const label = fc.stringMatching(/^[a-z:_-]{1,20}$/)

test('the fast path is HMAC-SHA256 of label, NUL and text', () => {
  fc.assert(
    fc.property(key, label, fc.string({ unit: 'binary', maxLength: 2000 }), (key, label, text) => {
      const expected = createHmac('sha256', key).update(`${label}\0`).update(text).digest('binary')
      expect(hashText(createKeyedHash(key), label, text)).toBe(expected)
    }),
  )
})

test('raw bytes hash alike', () => {
  fc.assert(
    fc.property(key, label, fc.uint8Array({ maxLength: 3000 }), (key, label, bytes) => {
      const expected = createHmac('sha256', key).update(`${label}\0`).update(bytes).digest('binary')
      expect(hashBytes(createKeyedHash(key), label, bytes)).toBe(expected)
    }),
  )
})

test('one hash object serves long and short texts in turn', () => {
  const keyed = createKeyedHash(Buffer.alloc(32, 7))
  const short = hashText(keyed, 'a', 'x')
  hashText(keyed, 'a', 'y'.repeat(100_000))
  expect(hashText(keyed, 'a', 'x')).toBe(short)
})
