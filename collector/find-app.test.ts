import { expect, test } from 'vitest'
import { hashWriteKey } from '../postgres/apps.ts'
import type { Postgres } from '../postgres/client.ts'
import type { Keyring } from '../postgres/keyring.ts'
import { EbbError } from '../runtime/errors.ts'
import { basicWriteKey, createAppDirectory } from './find-app.ts'

/** A directory over one app, `shop` with key `right`, and a database that can be switched off; counts its questions. */
function setUp() {
  const state = { away: false, revoked: false, questions: 0, now: 0 }
  const postgres = {
    async query(_name: string, _text: string, [hashes]: [Buffer[]]) {
      state.questions += 1
      if (state.away) throw new EbbError('postgres_unavailable', 'away')
      const right = hashWriteKey('right')
      return hashes.some((one) => one.equals(right)) && !state.revoked
        ? [{ write_key_sha256: right, app: 'shop', rules: { maxAgeDays: 7 } }]
        : []
    },
  } as unknown as Postgres
  const keyring = { appLookupKey: async () => Buffer.alloc(32, 1) } as unknown as Keyring
  const directory = createAppDirectory({
    postgres,
    keyring,
    freshMs: 1_000,
    refusedMs: 500,
    now: () => state.now,
  })
  const find = async (key: string) => directory.find(key)
  return { state, find }
}

test('A write key is asked for once and then known, with the choices of its app', async () => {
  const { state, find } = setUp()
  const both = await Promise.all([find('right'), find('right')])
  expect(both[0]).toEqual({ rules: { app: 'shop', maxAgeDays: 7 }, lookupKey: Buffer.alloc(32, 1) })
  await find('right')
  expect(state.questions).toBe(1)
})

test('A flood of one unknown key reaches Postgres once in a while only', async () => {
  const { state, find } = setUp()
  for (let i = 0; i < 50; i++) {
    await expect(find('wrong')).rejects.toMatchObject({ code: 'unknown_write_key' })
  }
  expect(state.questions).toBe(1)
  state.now = 600
  await expect(find('wrong')).rejects.toMatchObject({ code: 'unknown_write_key' })
  expect(state.questions).toBe(2)
})

test('While Postgres is away known keys go on and unknown ones are told to come again', async () => {
  const { state, find } = setUp()
  await find('right')
  state.away = true
  state.now = 60_000
  expect(await find('right')).toMatchObject({ rules: { app: 'shop' } })
  await expect(find('other')).rejects.toMatchObject({ code: 'apps_unavailable' })
  state.away = false
  await expect(find('other')).rejects.toMatchObject({ code: 'unknown_write_key' })
})

test('An app whose rules a newer version wrote fails alone, is named, and is served once they are known', async () => {
  const broken: string[] = []
  let rules: object = { maxAgeDays: 7, consent: 'asked' }
  const rows = () => [
    { write_key_sha256: hashWriteKey('newer'), app: 'newer', rules },
    { write_key_sha256: hashWriteKey('locked'), app: 'locked', rules: {} },
    { write_key_sha256: hashWriteKey('right'), app: 'shop', rules: {} },
  ]
  const keyring = {
    async appLookupKey(app: string) {
      if (app === 'locked') throw new EbbError('key_unwrap_failed', 'locked')
      return Buffer.alloc(32, 1)
    },
  } as unknown as Keyring
  const postgres = { query: async () => rows() } as unknown as Postgres
  const onBrokenApp = (...what: string[]) => void broken.push(what.join(' '))
  const directory = createAppDirectory({ postgres, keyring, onBrokenApp })
  const [newer, locked, right] = await Promise.allSettled(
    ['newer', 'locked', 'right'].map((key) => directory.find(key)),
  )
  expect(newer).toMatchObject({ reason: { code: 'apps_unavailable' } })
  expect(locked).toMatchObject({ reason: { code: 'apps_unavailable' } })
  expect(right).toMatchObject({ value: { rules: { app: 'shop' } } })
  expect(broken).toEqual(['newer app_rules_invalid', 'locked key_unwrap_failed'])
  await expect(directory.find('newer')).rejects.toMatchObject({ code: 'apps_unavailable' })
  expect(broken).toHaveLength(2)
  rules = { maxAgeDays: 7 }
  expect(await directory.find('newer')).toMatchObject({ rules: { app: 'newer', maxAgeDays: 7 } })
})

test('A revoked key ends when it is checked again', async () => {
  const { state, find } = setUp()
  await find('right')
  state.revoked = true
  state.now = 2_000
  await find('right')
  await new Promise((resolve) => setTimeout(resolve, 20))
  await expect(find('right')).rejects.toMatchObject({ code: 'unknown_write_key' })
})

test('No key, and a key too long to be one, are refused without a question', async () => {
  const { state, find } = setUp()
  await expect(find('')).rejects.toMatchObject({ code: 'missing_write_key' })
  await expect(find('x'.repeat(10_000))).rejects.toMatchObject({ code: 'unknown_write_key' })
  expect(state.questions).toBe(0)
})

test('The write key is the user name of Basic auth; anything else there is no key', () => {
  const encode = (text: string) => Buffer.from(text).toString('base64')
  expect(basicWriteKey(`Basic ${encode('key:')}`)).toBe('key')
  expect(basicWriteKey(`basic ${encode('key:password')}`)).toBe('key')
  expect(basicWriteKey(`Basic ${encode('key')}`)).toBe('key')
  for (const header of [
    undefined,
    '',
    'Basic',
    'Basic ',
    'Basic !!',
    'Bearer abc',
    `Basic ${encode(':password')}`,
  ]) {
    expect(basicWriteKey(header)).toBe('')
  }
})
