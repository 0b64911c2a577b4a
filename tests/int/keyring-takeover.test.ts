import { randomBytes, randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPostgres, type TransactingPostgres } from '../../postgres/client.ts'
import { createFileKeyProvider } from '../../postgres/file-key-provider.ts'
import { openKeyring } from '../../postgres/keyring.ts'
import { readKeyringStatus } from '../../postgres/list-shards.ts'
import { migratePostgres } from '../../postgres/migrate.ts'
import { seal } from '../../postgres/seal.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let postgres: TransactingPostgres
beforeAll(async () => {
  stage = await createStage({ migrate: false })
  await migratePostgres(stage.config)
  postgres = createPostgres(stage.config.postgres.keyringUrl)
})
afterAll(async () => {
  await postgres?.close()
  await stage?.close()
})

const SUBJECT = 'ff000000-0000-4000-8000-0000000000ff'
const idBytes = (uuid: string) => Buffer.from(uuid.replaceAll('-', ''), 'hex')

test('A keyring under one master key is taken over by whoever opens it, and the master key dies', async () => {
  const [id, foreign] = [randomUUID(), randomUUID()]
  const master = randomBytes(32)
  const wrap = (key: Buffer, context: string) =>
    Buffer.concat([idBytes(id), seal(master, key, Buffer.from(context))])
  const shardKeys = Array.from({ length: 64 }, () => randomBytes(32))
  const [secret, lookup] = [randomBytes(32), randomBytes(32)]
  for (const [shard, key] of shardKeys.entries()) {
    await postgres.query(
      'old_shard',
      'INSERT INTO key_shards (shard, key_version, wrapped) VALUES ($1, 1, $2)',
      [shard, wrap(key, `ebb key shard ${shard} version 1`)],
    )
  }
  await postgres.query('old_secret', 'INSERT INTO subject_secrets VALUES ($1, 63, 1, $2)', [
    SUBJECT,
    seal(shardKeys[63]!, secret, idBytes(SUBJECT)),
  ])
  await postgres.query('old_app', 'INSERT INTO app_keys (app, wrapped) VALUES ($1, $2)', [
    'shop',
    wrap(lookup, 'ebb app look-up key shop'),
  ])
  const keys = { [id]: master.toString('base64'), [foreign]: randomBytes(32).toString('base64') }
  const path = stage.config.keyFile

  // Another installation's file opens nothing, and loses nothing.
  const other = { [foreign]: keys[foreign] }
  await writeFile(path, JSON.stringify({ version: 1, current: foreign, keys: other }), { mode: 0o600 })
  await expect(openKeyring(postgres, await createFileKeyProvider(path))).rejects.toMatchObject({
    code: 'key_unwrap_failed',
  })
  expect(await readFile(path, 'utf8')).toContain(keys[foreign])

  await writeFile(path, JSON.stringify({ version: 1, current: id, keys }), { mode: 0o600 })
  const provider = await createFileKeyProvider(path)
  const keyring = await openKeyring(postgres, provider)
  for (const open of [keyring, await openKeyring(postgres, await createFileKeyProvider(path))]) {
    expect((await open.readSecrets([SUBJECT])).get(SUBJECT)).toEqual(secret)
    expect(await open.appLookupKey('shop')).toEqual(lookup)
  }
  const text = await readFile(path, 'utf8')
  expect(text).not.toContain(keys[id])
  expect(text).toContain(keys[foreign])
  const status = await readKeyringStatus(postgres, provider)
  expect(status.shards).toHaveLength(65)
  expect(status.shards.every((shard) => shard.keyAtProvider && shard.olderVersions === 0)).toBe(true)
  expect(status.strayKeys).toEqual([])
})
