import { randomBytes } from 'node:crypto'
import { EbbError } from '../runtime/errors.ts'
import type { Postgres } from './client.ts'
import type { KeyProvider } from './key-provider.ts'
import { ALL_SHARDS, providerKeyName, shardContext } from './key-shard.ts'

export interface ShardKey {
  shard: number
  keyVersion: number
  /** Seals the shard's secrets. */
  key: Buffer
}

/** All shard keys, unwrapped, in memory. */
export interface ShardKeys {
  /** Takes in what other processes have made and destroyed. */
  refresh(): Promise<void>
  find(shard: number, keyVersion: number): Buffer | undefined
  newest(shard: number): ShardKey
  /** Milliseconds since the last refresh. */
  age(): number
}

interface ShardRow {
  shard: number
  key_version: number
  wrapped: Buffer
  provider_key: string
}

/** A rotation destroys a key between our reading its row and our unwrapping it once or twice, hardly more. */
const READ_TRIES = 5

/**
 * Opens the shard keys and makes the missing ones.
 * @throws EbbError `key_unwrap_failed` when the key provider is not the one that wrapped this keyring.
 */
export async function openShardKeys(
  postgres: Pick<Postgres, 'query'>,
  provider: KeyProvider,
): Promise<ShardKeys> {
  let keys = new Map<string, ShardKey & { wrapped: Buffer }>()
  let newest: ShardKey[] = []
  let refreshedAt = 0
  let underWay: Promise<void> | undefined

  /** Keys that are no longer stored are forgotten here too: a destroyed one must not live on in memory. */
  const readAll = async () => {
    const stored = new Map<string, ShardKey & { wrapped: Buffer }>()
    const latest: ShardKey[] = []
    for (const row of await readComplete(postgres, provider)) {
      const id = `${row.shard}/${row.key_version}`
      const known = keys.get(id)
      const key = known?.wrapped.equals(row.wrapped) ? known.key : await unwrapRow(provider, row)
      const shardKey = { shard: row.shard, keyVersion: row.key_version, key, wrapped: row.wrapped }
      stored.set(id, shardKey)
      latest[row.shard] = shardKey
    }
    for (const [id, one] of keys) if (stored.get(id)?.key !== one.key) one.key.fill(0)
    keys = stored
    newest = latest
    refreshedAt = performance.now()
  }
  const refresh = async () => {
    for (let tries = 1; ; tries++) {
      try {
        return await readAll()
      } catch (error) {
        if ((error as EbbError).code !== 'key_missing') throw error
        if (tries < READ_TRIES) continue
        throw new EbbError('key_unwrap_failed', 'the key provider lacks a key that wraps a shard', {
          cause: error,
        })
      }
    }
  }
  const refreshOnce = () => {
    underWay ??= refresh().finally(() => {
      underWay = undefined
    })
    return underWay
  }
  await refreshOnce()
  return {
    refresh: refreshOnce,
    find: (shard, keyVersion) => keys.get(`${shard}/${keyVersion}`)?.key,
    newest: (shard) => newest[shard]!,
    age: () => performance.now() - refreshedAt,
  }
}

function unwrapRow(provider: KeyProvider, row: ShardRow): Promise<Buffer> {
  return provider.unwrap(row.provider_key, row.wrapped, shardContext(row.shard, row.key_version))
}

/** Oldest version first; missing shards are made, and where two processes make one, both take the stored one. */
async function readComplete(postgres: Pick<Postgres, 'query'>, provider: KeyProvider): Promise<ShardRow[]> {
  const read = () =>
    postgres.query<ShardRow>(
      'read_shard_keys',
      'SELECT shard, key_version, wrapped, provider_key FROM key_shards ORDER BY shard, key_version',
      [],
    )
  const rows = await read()
  const present = new Set(rows.map((row) => row.shard))
  const missing = ALL_SHARDS.filter((shard) => !present.has(shard))
  if (missing.length === 0) return rows
  await addShardKeys(
    postgres,
    provider,
    missing.map((shard) => ({ shard, keyVersion: 1 })),
  )
  return read()
}

/** Makes new versions of shards, each under a new key of the provider; a version that is there stays as it is. */
export async function addShardKeys(
  postgres: Pick<Postgres, 'query'>,
  provider: KeyProvider,
  wanted: readonly { shard: number; keyVersion: number }[],
): Promise<void> {
  const made = await Promise.all(
    wanted.map(async ({ shard, keyVersion }) => {
      const name = providerKeyName(shard, keyVersion)
      await provider.createKey(name)
      const wrapped = await provider.wrap(name, randomBytes(32), shardContext(shard, keyVersion))
      return { shard, keyVersion, name, wrapped }
    }),
  )
  await postgres.query(
    'create_shard_keys',
    `INSERT INTO key_shards (shard, key_version, wrapped, provider_key)
     SELECT * FROM unnest($1::smallint[], $2::integer[], $3::bytea[], $4::text[])
     ON CONFLICT DO NOTHING`,
    [
      made.map((one) => one.shard),
      made.map((one) => one.keyVersion),
      made.map((one) => one.wrapped),
      made.map((one) => one.name),
    ],
  )
}
