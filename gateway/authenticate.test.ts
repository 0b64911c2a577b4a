import { expect, test } from 'vitest'
import { hashToken } from '../postgres/api-tokens.ts'
import type { Postgres } from '../postgres/client.ts'
import { EbbError } from '../runtime/errors.ts'
import { bearerSecret, createTokenDirectory, isOver } from './authenticate.ts'

const SECRET = `ebb_${'a'.repeat(32)}`

/** A directory over one token, and a database that can be switched off; counts its questions. */
function setUp() {
  const state = { away: false, revokedAt: null as Date | null, questions: 0, now: 0 }
  const postgres = {
    async query(_name: string, _text: string, [hashes]: [Buffer[]]) {
      state.questions += 1
      if (state.away) throw new EbbError('postgres_unavailable', 'away')
      const hash = hashToken(SECRET)
      const row = { token_id: 't', token_sha256: hash, name: 'desk', role: 'operator', apps: null }
      return hashes.some((one) => one.equals(hash))
        ? [{ ...row, created_at: new Date(0), expires_at: null, revoked_at: state.revokedAt }]
        : []
    },
  } as unknown as Postgres
  return { state, directory: createTokenDirectory({ postgres, freshMs: 5_000, now: () => state.now }) }
}

test('A token is asked for once and then known for seconds; its end is seen after them', async () => {
  const { state, directory } = setUp()
  const found = await Promise.all([directory.find(SECRET), directory.find(SECRET)])
  expect(found[0]).toMatchObject({ tokenId: 't', role: 'operator' })
  await directory.find(SECRET)
  expect(state.questions).toBe(1)
  state.revokedAt = new Date(1)
  state.now = 5_001
  expect(isOver((await directory.find(SECRET))!, state.now)).toBe(true)
})

test('A flood of one wrong token asks once, and what cannot be a token never', async () => {
  const { state, directory } = setUp()
  for (let tries = 0; tries < 50; tries++) {
    expect(await directory.find(`ebb_${'b'.repeat(32)}`)).toBeUndefined()
  }
  expect(state.questions).toBe(1)
  expect(await directory.find('ebb_short')).toBeUndefined()
  expect(state.questions).toBe(1)
})

test('While Postgres is away a token is neither good nor bad', async () => {
  const { state, directory } = setUp()
  state.away = true
  await expect(directory.find(SECRET)).rejects.toMatchObject({ code: 'tokens_unavailable' })
})

test.each([
  ['Bearer x', 'x'],
  ['bearer  x', 'x'],
  [undefined, ''],
  ['', ''],
  ['Bearer', ''],
  ['Bearer a b', ''],
  ['Basic x', ''],
  [`Bearer ${'x'.repeat(201)}`, ''],
])('The header %j holds %j', (header, secret) => {
  expect(bearerSecret(header)).toBe(secret)
})

test('A token is over at its expiry, to the millisecond', () => {
  const token = {
    tokenId: 't',
    name: 'desk',
    role: 'app' as const,
    apps: ['shop'],
    createdAt: new Date(0),
    expiresAt: new Date(10),
    revokedAt: null,
  }
  expect([isOver(token, 9), isOver(token, 10)]).toEqual([false, true])
})
