import { createHmac, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { hashContact, normaliseContact } from './contact-hash.ts'
import { createKeyedHash, hashText } from './keyed-hash.ts'

test.each([
  ['ada@example.com', 'ada@example.com'],
  [' Ada@Example.COM\n', 'ada@example.com'],
  // Composed and decomposed.
  ['re\u0301ne\u0301@example.com', 'réné@example.com'],
  [' \t', ''],
])('the address %j is %j', (typed, form) => {
  expect(normaliseContact('email', typed)).toBe(form)
})

test.each([
  ['+49 (171) 123-456', '+49171123456'],
  ['(+49) 171/123456', '+49171123456'],
  ['0171 123456', '0171123456'],
  ['0049.171.123456', '0049171123456'],
  ['call 171+2', '1712'],
  ['+', ''],
  ['none', ''],
])('the number %j is %j', (typed, form) => {
  expect(normaliseContact('phone', typed)).toBe(form)
})

test('a hash is an HMAC under the look-up key, and is neither a handle nor that of another kind of contact', () => {
  const key = randomBytes(32)
  const keyed = createKeyedHash(key)
  const hash = hashContact(keyed, 'email', 'Ada@example.com ')
  expect(hash).toEqual(createHmac('sha256', key).update('contact-email\0ada@example.com').digest())
  const handle = Buffer.from(hashText(keyed, 'user', 'ada@example.com'), 'latin1')
  const others = [handle, hashContact(keyed, 'phone', '1'), hashContact(keyed, 'email', '1')]
  expect(new Set([hash, ...others].map((one) => one.toString('hex'))).size).toBe(4)
  expect(hashContact(createKeyedHash(randomBytes(32)), 'email', 'ada@example.com')).not.toEqual(hash)
})
