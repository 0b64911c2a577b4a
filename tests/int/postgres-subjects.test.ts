import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deriveSubjectKeys } from '../../gate/subject-keys.ts'
import { createApp, findAppsByWriteKey, hashWriteKey, listApps } from '../../postgres/apps.ts'
import { createPostgres, type Postgres, type TransactingPostgres } from '../../postgres/client.ts'
import { createFileKeyProvider } from '../../postgres/file-key-provider.ts'
import type { KeyProvider } from '../../postgres/key-provider.ts'
import { KEY_SHARDS, type Keyring, openKeyring } from '../../postgres/keyring.ts'
import { migratePostgres } from '../../postgres/migrate.ts'
import { createSubjectResolver } from '../../postgres/resolve-subjects.ts'
import { addShardKeys } from '../../postgres/shard-keys.ts'
import { createLinkWriter } from '../../postgres/subject-links.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let postgres: TransactingPostgres
let keyringPostgres: Postgres
let provider: KeyProvider
let keyring: Keyring

beforeAll(async () => {
  stage = await createStage({ migrate: false })
  // Several processes of a platform start at once, and each may migrate.
  await Promise.all(Array.from({ length: 4 }, () => migratePostgres(stage.config)))
  postgres = createPostgres(stage.config.postgres.url)
  keyringPostgres = createPostgres(stage.config.postgres.keyringUrl)
  provider = await createFileKeyProvider(stage.config.keyFile)
  keyring = await openKeyring(keyringPostgres, provider)
})
afterAll(async () => {
  await postgres?.close()
  await keyringPostgres?.close()
  await stage?.close()
})

const handles = (count: number) => Array.from({ length: count }, () => randomBytes(32))
const count = async (database: Postgres, table: string) =>
  Number(
    (await database.query<{ n: string }>(`count_${table}`, `SELECT count(*) AS n FROM ${table}`, []))[0]!.n,
  )

test('Migrating again changes nothing', async () => {
  const { app } = await createApp(postgres, { app: 'migrated' })
  await migratePostgres(stage.config)
  expect((await listApps(postgres)).map((one) => one.app)).toContain(app)
})

test('Two collectors that meet the same 1,000 new people at once agree on the keys of each', async () => {
  const people = handles(1_000)
  const [one, two] = [1, 2].map(() => createSubjectResolver({ postgres, keyring }))
  const answers = await Promise.all([
    one!.resolve(people, 'shop'),
    Promise.resolve(two!.resolve(people.toReversed(), 'shop')).then((keys) => keys.toReversed()),
    one!.resolve(people, 'shop'),
  ])
  expect(answers[1]).toEqual(answers[0])
  expect(answers[2]).toEqual(answers[0])
  expect(new Set(answers[0]!.map((keys) => keys.token.toString('hex'))).size).toBe(1_000)
  // A third, later, from what is stored alone.
  const later = await createSubjectResolver({ postgres, keyring }).resolve(people, 'shop')
  expect(later).toEqual(answers[0])
})

test('Secrets made for nothing by the loser of a race are removed again', async () => {
  await expect
    .poll(async () => (await count(keyringPostgres, 'subject_secrets')) - (await count(postgres, 'subjects')))
    .toBe(0)
})

test('A secret is in the keyring before its person is known: a crash between leaves no person without one', async () => {
  const [person] = handles(1)
  const dying: Keyring = {
    ...keyring,
    async createSecrets(ids) {
      await keyring.createSecrets(ids)
      throw new Error('crash')
    },
  }
  const before = await count(postgres, 'subjects')
  await expect(
    createSubjectResolver({ postgres, keyring: dying }).resolve([person!], 'shop'),
  ).rejects.toMatchObject({
    code: 'subjects_unavailable',
  })
  expect(await count(postgres, 'subjects')).toBe(before)
  expect(await createSubjectResolver({ postgres, keyring }).resolve([person!], 'shop')).toHaveLength(1)
})

test('New people are taken in by batches: 10,000 at once are a few dozen statements', async () => {
  let statements = 0
  const counted = (database: Postgres): Postgres => ({
    ...database,
    query(...args) {
      statements += 1
      return database.query(...args)
    },
  })
  const resolver = createSubjectResolver({
    postgres: counted(postgres),
    keyring: await openKeyring(counted(keyringPostgres), provider),
  })
  statements = 0
  const people = handles(10_000)
  const keys = await Promise.all(people.map((handle) => resolver.resolve([handle], 'shop')))
  expect(new Set(keys.map(([one]) => one!.token.toString('hex'))).size).toBe(10_000)
  // Ten batches, each three statements: who is known, the secrets, the people.
  expect(statements).toBeLessThanOrEqual(40)
})

test('After a rotation an open keyring writes under the new key, and reads what was rewrapped', async () => {
  const id = (end: number) => `0000000${end}-0000-4000-8000-0000000000ff`
  const open = await openKeyring(keyringPostgres, provider)
  const [before] = await open.createSecrets([id(1)])
  const shard = 0
  await addShardKeys(keyringPostgres, provider, [{ shard, keyVersion: 2 }])
  // Another shard's people are written along with it.
  const made = await open.createSecrets([id(2), 'ff000000-0000-4000-8000-0000000000ff'])
  const versions = await keyringPostgres.query<{ subject_id: string; key_version: number }>(
    'versions',
    `SELECT subject_id, key_version FROM subject_secrets WHERE subject_id::text LIKE '%0000000000ff' ORDER BY 1`,
    [],
  )
  expect(versions.map((row) => row.key_version)).toEqual([1, 2, 1])
  const later = await openKeyring(keyringPostgres, provider)
  for (const keyring of [open, later]) {
    const secrets = await keyring.readSecrets(versions.map((row) => row.subject_id))
    for (const { subjectId, secret } of [before!, ...made]) expect(secrets.get(subjectId)).toEqual(secret)
  }
  await open.dropSecrets(versions.map((row) => row.subject_id))
})

test('Neither a token nor a secret nor a handle stands in the wrong place', async () => {
  const [person] = handles(1)
  const [keys] = await createSubjectResolver({ postgres, keyring }).resolve([person!], 'shop')
  const dump = async (database: Postgres, tables: string[]) => {
    const texts: string[] = []
    for (const table of tables) {
      const rows = await database.query<{ row: string }>(
        `dump_${table}`,
        `SELECT ${table}::text AS row FROM ${table}`,
        [],
      )
      texts.push(...rows.map((one) => one.row))
    }
    return texts.join('\n')
  }
  const subjects = await dump(postgres, ['subjects', 'subject_links', 'apps'])
  const secrets = await dump(keyringPostgres, ['subject_secrets', 'key_shards', 'app_keys'])
  expect(subjects).toContain(person!.toString('hex'))
  expect(secrets).not.toContain(person!.toString('hex'))
  for (const text of [subjects, secrets]) {
    expect(text).not.toContain(keys!.token.toString('hex'))
    expect(text).not.toContain(keys!.idKey.toString('hex'))
  }
})

test('The keyring has all its shards, and every person falls into one', async () => {
  const rows = await keyringPostgres.query<{ shard: number }>(
    'shards',
    'SELECT DISTINCT shard FROM subject_secrets',
    [],
  )
  expect(rows).toHaveLength(KEY_SHARDS)
})

test('A secret cannot be moved to another person, and a foreign key file opens nothing', async () => {
  const [a] = await keyring.createSecrets(['00000000-0000-4000-8000-000000000001'])
  expect((await keyring.readSecrets([a!.subjectId])).get(a!.subjectId)).toEqual(a!.secret)
  expect(deriveSubjectKeys(a!.secret).token).toHaveLength(16)
  await keyringPostgres.query(
    'move_secret',
    `INSERT INTO subject_secrets SELECT '00000000-0000-4000-8000-000000000002', shard, key_version, wrapped
     FROM subject_secrets WHERE subject_id = $1`,
    [a!.subjectId],
  )
  await expect(keyring.readSecrets(['00000000-0000-4000-8000-000000000002'])).rejects.toMatchObject({
    code: 'key_unwrap_failed',
  })
  await keyring.dropSecrets(['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'])
  const foreign = await createFileKeyProvider(`${stage.config.keyFile}.foreign`)
  await expect(openKeyring(keyringPostgres, foreign)).rejects.toMatchObject({ code: 'key_unwrap_failed' })
})

test("An app's look-up key stays the same, and differs from app to app", async () => {
  const [one, again] = await Promise.all([keyring.appLookupKey('shop'), keyring.appLookupKey('shop')])
  const other = await openKeyring(keyringPostgres, provider)
  expect(again).toEqual(one)
  expect(await other.appLookupKey('shop')).toEqual(one)
  expect(await other.appLookupKey('learning')).not.toEqual(one)
})

test('A write key is stored as a hash only, and a name is taken once', async () => {
  const made = await createApp(postgres, { app: 'toys', rules: { maxAgeDays: 7, ip: 'truncate' } })
  const rows = await postgres.query<{ row: string }>('apps_text', 'SELECT apps::text AS row FROM apps', [])
  expect(JSON.stringify(rows)).not.toContain(made.writeKey)
  expect(await findAppsByWriteKey(postgres, [hashWriteKey(made.writeKey), hashWriteKey('other')])).toEqual([
    {
      sha256: hashWriteKey(made.writeKey),
      app: 'toys',
      rules: { app: 'toys', maxAgeDays: 7, ip: 'truncate' },
    },
  ])
  await expect(createApp(postgres, { app: 'toys' })).rejects.toMatchObject({ code: 'app_exists' })
  await expect(createApp(postgres, { app: 'Toys' })).rejects.toMatchObject({ code: 'app_name_invalid' })
  await expect(createApp(postgres, { app: 'old', rules: { maxAgeDays: 401 } })).rejects.toMatchObject({
    code: 'app_rules_invalid',
  })
})

test('A link is stored once, however often it is asserted', async () => {
  const [from, to] = handles(2) as [Buffer, Buffer]
  await createSubjectResolver({ postgres, keyring }).resolve([from, to], 'shop')
  const link = { kind: 'identify' as const, from, to }
  const writer = createLinkWriter({ postgres, keyring })
  await Promise.all([
    writer.write([link, link], 'shop'),
    createLinkWriter({ postgres, keyring }).write([link], 'shop'),
  ])
  expect(writer.write([link], 'shop')).toBeUndefined()
  expect(await count(postgres, 'subject_links')).toBe(1)
})

test('The key file is what stands between a stolen keyring and the secrets', async () => {
  const text = await readFile(stage.config.keyFile, 'utf8')
  const rows = await keyringPostgres.query<{ wrapped: Buffer }>(
    'wrapped',
    'SELECT wrapped FROM key_shards',
    [],
  )
  for (const key of Object.values(JSON.parse(text).keys as Record<string, string>)) {
    for (const row of rows) expect(row.wrapped.includes(Buffer.from(key, 'base64'))).toBe(false)
  }
  await writeFile(`${stage.config.keyFile}.copy`, text, { mode: 0o644 })
  await expect(createFileKeyProvider(`${stage.config.keyFile}.copy`)).rejects.toMatchObject({
    code: 'key_file_exposed',
  })
})
