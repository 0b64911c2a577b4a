import { expect, test } from 'vitest'
import { certificateSigner, logSigner, witnessSigner } from '../tests/vectors/sample-log.ts'
import { createVerifyingKey, formatPublicKey, parsePublicKey } from './public-key.ts'
import { parseTrustedKeys } from './trusted-keys.ts'

const malformed = expect.objectContaining({ code: 'key-malformed' })
const log = formatPublicKey(logSigner.key)
const certificate = formatPublicKey(certificateSigner.key)

test('a key survives being written and read, with its use', () => {
  for (const { key } of [logSigner, witnessSigner, certificateSigner]) {
    expect(parsePublicKey(formatPublicKey(key))).toMatchObject({ use: key.use, fingerprint: key.fingerprint })
  }
})

test('one key for two uses has two names: it cannot be believed for the other', () => {
  const twin = createVerifyingKey('witness', logSigner.key.name, logSigner.key.raw)
  expect(twin.fingerprint).not.toBe(logSigner.key.fingerprint)
})

test('a key whose ID is of another name, key or type is refused', () => {
  expect(() => parsePublicKey(log.replace(/^[^+]+/, 'other.example/log'))).toThrow(malformed)
  expect(() => parsePublicKey(log.replace(/\+[0-9a-f]{8}\+/, '+00000000+'))).toThrow(malformed)
  expect(() => parsePublicKey('a+00000000+AAAA')).toThrow(malformed)
  expect(() => createVerifyingKey('log', 'a b', Buffer.alloc(32))).toThrow(malformed)
})

test('a key file holds keys, comments and retirements', () => {
  const text = `# the shop's keys\n${log}\n\n${certificate} retired 12\n${formatPublicKey(witnessSigner.key)}\n`
  const trusted = parseTrustedKeys(text)
  expect(trusted.logs[0]?.name).toBe(logSigner.key.name)
  expect(trusted.certificates[0]?.retiredAt).toBe(12)
  expect(trusted.witnesses).toHaveLength(1)
})

test('a key file with anything else is refused', () => {
  for (const line of ['hello', `${certificate} retired soon`, `${certificate} 12`, `${log} retired 12`]) {
    expect(() => parseTrustedKeys(line)).toThrow(malformed)
  }
})
