import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createRevokedTokens } from './revoked-tokens.ts'

describe('revoked tokens', () => {
  test('are told as of an offset, and a later revocation changes no earlier answer', () => {
    const tokens = createRevokedTokens(10)
    const token = randomBytes(16)
    tokens.add(token, 5)
    tokens.add(token, 90)
    expect(tokens.isRevoked(token, 5)).toBe(false)
    expect(tokens.isRevoked(token, 6)).toBe(true)
    expect(tokens.isRevoked(randomBytes(16), 100)).toBe(false)
    expect(tokens.size()).toBe(1)
  })
  test('that were given back are stored from there on, and a cut of before is repeated as it was', () => {
    const tokens = createRevokedTokens(10)
    const token = randomBytes(16)
    const history = () => [5, 6, 10, 11, 20, 21].map((rev) => tokens.isRevoked(token, rev))
    tokens.withdraw(token, 3)
    tokens.add(token, 5)
    tokens.withdraw(token, 10)
    tokens.withdraw(token, 12)
    tokens.add(token, 20)
    tokens.add(token, 25)
    expect(history()).toEqual([false, true, true, false, false, true])
    // The topic is read a second time, from its beginning.
    tokens.add(token, 5)
    tokens.withdraw(token, 10)
    expect(history()).toEqual([false, true, true, false, false, true])
  })
  test('survive growth and colliding first bytes', () => {
    const tokens = createRevokedTokens(10_000)
    const all = Array.from({ length: 1_000 }, (_, index) => {
      const token = randomBytes(16)
      if (index < 100) token.writeUInt32LE(index % 5, 0)
      tokens.add(token, index)
      return token
    })
    all.forEach((token, index) => {
      const answers = [tokens.isRevoked(token, index), tokens.isRevoked(token, index + 1)]
      if (answers[0] || !answers[1]) throw new Error(`token ${index}: ${answers}`)
    })
    expect(tokens.size()).toBe(1_000)
  })
  test('are bounded: beyond the bound ingest stops rather than forget one', () => {
    const tokens = createRevokedTokens(2)
    tokens.add(randomBytes(16), 0)
    tokens.add(randomBytes(16), 1)
    expect(() => tokens.add(randomBytes(16), 2)).toThrow('revoked tokens')
  })
})
