import { EbbError } from '../runtime/errors.ts'
import type { Postgres } from './client.ts'
import { masterKeyName } from './key-file.ts'
import type { KeyProvider } from './key-provider.ts'
import { APP_SHARD, appContext, providerKeyName, shardContext } from './key-shard.ts'
import { seal } from './seal.ts'
import { addShardKeys, openShardKeys } from './shard-keys.ts'

interface OldShard {
  shard: number
  key_version: number
  wrapped: Buffer
}

/** What one master key wrapped begins with that key's id. */
const ID_BYTES = 16

/**
 * Brings a keyring under one master key to a provider key for each shard version, and destroys the master key. Any number
 * of processes may do so at once; costs one query where nothing is left to do.
 * @throws EbbError `key_unwrap_failed` when the provider is not the one that wrapped this keyring.
 */
export async function takeOverKeyring(postgres: Postgres, provider: KeyProvider): Promise<void> {
  if (!(await isLeft(postgres))) return
  await takeOverShards(postgres, provider)
  await takeOverApps(postgres, provider)
  // Only masters of this very keyring: the file may know others, whose keyring is elsewhere.
  const masters = await postgres.query<{ name: string }>(
    'former_keys',
    'SELECT DISTINCT former_key AS name FROM key_shards WHERE former_key IS NOT NULL',
    [],
  )
  for (const { name } of masters) {
    await provider.destroyKey(name)
    await postgres.query('former_key_gone', 'UPDATE key_shards SET former_key = NULL WHERE former_key = $1', [
      name,
    ])
  }
}

async function isLeft(postgres: Postgres): Promise<boolean> {
  const [row] = await postgres.query<{ left: boolean }>(
    'keyring_to_take_over',
    `SELECT EXISTS (SELECT FROM key_shards WHERE provider_key IS NULL OR former_key IS NOT NULL)
         OR EXISTS (SELECT FROM app_keys WHERE key_version IS NULL) AS left`,
    [],
  )
  return row!.left
}

async function takeOverShards(postgres: Postgres, provider: KeyProvider): Promise<void> {
  const rows = await postgres.query<OldShard>(
    'old_shards',
    'SELECT shard, key_version, wrapped FROM key_shards WHERE provider_key IS NULL',
    [],
  )
  await Promise.all(
    rows.map(async ({ shard, key_version, wrapped }) => {
      const context = shardContext(shard, key_version)
      const master = masterOf(wrapped)
      const key = await provider.unwrap(master, wrapped.subarray(ID_BYTES), context).catch(ifGone)
      const name = providerKeyName(shard, key_version)
      await provider.createKey(name)
      await postgres.query(
        'take_over_shard',
        `UPDATE key_shards SET wrapped = $3, provider_key = $4, former_key = $5
         WHERE shard = $1 AND key_version = $2 AND provider_key IS NULL`,
        [shard, key_version, await provider.wrap(name, key, context), name, master],
      )
    }),
  )
}

async function takeOverApps(postgres: Postgres, provider: KeyProvider): Promise<void> {
  await addShardKeys(postgres, provider, [{ shard: APP_SHARD, keyVersion: 1 }])
  const sealing = (await openShardKeys(postgres, provider)).newest(APP_SHARD)
  const rows = await postgres.query<{ app: string; wrapped: Buffer }>(
    'old_app_keys',
    'SELECT app, wrapped FROM app_keys WHERE key_version IS NULL',
    [],
  )
  for (const { app, wrapped } of rows) {
    const context = appContext(app).toString()
    const key = await provider.unwrap(masterOf(wrapped), wrapped.subarray(ID_BYTES), context).catch(ifGone)
    await postgres.query(
      'take_over_app_key',
      `UPDATE app_keys SET wrapped = $2, shard = $3, key_version = $4 WHERE app = $1 AND key_version IS NULL`,
      [app, seal(sealing.key, key, appContext(app)), sealing.shard, sealing.keyVersion],
    )
  }
}

function masterOf(wrapped: Buffer): string {
  const id = wrapped.toString('hex', 0, ID_BYTES)
  return masterKeyName(id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'))
}

/** Another process may have ended the take-over between our reading and unwrapping: opening again finds it done. */
function ifGone(error: unknown): never {
  if ((error as EbbError).code !== 'key_missing') throw error
  throw new EbbError('key_unwrap_failed', 'the key provider lacks the master key of this keyring', {
    cause: error,
  })
}
