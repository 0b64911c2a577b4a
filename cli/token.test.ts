import { expect, test } from 'vitest'
import { describeToken, readWish } from './token.ts'

const OPTIONS = { role: 'app', app: ['shop'], days: '30' }

test('A token has a role, apps or all of them, and an end', () => {
  expect(readWish('desk', OPTIONS, 0)).toEqual({
    name: 'desk',
    role: 'app',
    apps: ['shop'],
    expiresAt: new Date(30 * 86_400_000),
  })
  const all = { role: 'compliance', app: [], allApps: true as const, days: '1' }
  expect(readWish('desk', all, 0).apps).toBeNull()
})

test.each([
  [{ ...OPTIONS, role: 'root' }, '--role must be one of'],
  [{ ...OPTIONS, app: [] }, 'give --app'],
  [{ ...OPTIONS, allApps: true as const }, 'give --app'],
  [{ ...OPTIONS, days: '0' }, '--days'],
  [{ ...OPTIONS, days: '1.5' }, '--days'],
  [{ ...OPTIONS, days: 'never' }, '--days'],
])('%j is refused in plain words', (options, message) => {
  expect(() => readWish('desk', options, 0)).toThrow(message)
})

test('A line tells whether a token still holds', () => {
  const token = {
    tokenId: 'id',
    name: 'desk',
    role: 'analyst' as const,
    apps: null,
    createdAt: new Date(0),
    expiresAt: new Date(10),
    revokedAt: null,
  }
  expect(describeToken(token, 9)).toBe('id\tanalyst\tuntil 1970-01-01T00:00:00.010Z\tall apps\tdesk')
  expect(describeToken(token, 10)).toContain('expired 1970')
  expect(describeToken({ ...token, revokedAt: new Date(5) }, 9)).toContain('revoked 1970')
  expect(describeToken({ ...token, expiresAt: null }, 9)).toContain('\tno end\t')
})
