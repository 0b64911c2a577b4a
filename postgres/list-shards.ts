import type { Postgres } from './client.ts'
import type { KeyProvider } from './key-provider.ts'
import { APP_SHARD, parseProviderKeyName } from './key-shard.ts'

type Queries = Pick<Postgres, 'query'>

/** Shards whose newest version was made before this moment (milliseconds since 1970). */
export async function listDueShards(postgres: Queries, before: number): Promise<number[]> {
  const rows = await postgres.query<{ shard: number }>(
    'due_shards',
    `SELECT shard FROM key_shards GROUP BY shard HAVING max(created_at) < to_timestamp($1::float8 / 1000)
     ORDER BY shard`,
    [before],
  )
  return rows.map((row) => row.shard)
}

export interface ShardStatus {
  shard: number
  version: number
  createdAt: Date
  /** Subjects' secrets, or apps' keys in the shard of those. */
  seals: number
  /** Older versions that are still stored: a rewrap is under way, or died and waits for the next one. */
  olderVersions: number
  /** false: the provider has no such key, and what the shard seals is lost. */
  keyAtProvider: boolean
}

export interface KeyringStatus {
  shards: ShardStatus[]
  /** Keys at the provider that wrap no stored version: destroyed by the next rewrap of their shard. */
  strayKeys: string[]
  /** Destroyed keys that can still be called back, with the end of that. */
  pending: { name: string; goneByMs: number }[]
}

/** How the keyring stands against its key provider. */
export async function readKeyringStatus(postgres: Queries, provider: KeyProvider): Promise<KeyringStatus> {
  const rows = await postgres.query<{
    shard: number
    key_version: number
    created_at: Date
    provider_key: string | null
    seals: number
  }>(
    'keyring_status',
    `SELECT shard, key_version, created_at, provider_key,
       CASE WHEN shard = $1::smallint
         THEN (SELECT count(*) FROM app_keys a WHERE (a.shard, a.key_version) = (k.shard, k.key_version))
         ELSE (SELECT count(*) FROM subject_secrets s WHERE (s.shard, s.key_version) = (k.shard, k.key_version))
       END::integer AS seals
     FROM key_shards k ORDER BY shard, key_version`,
    [APP_SHARD],
  )
  const listed = await provider.listKeys()
  const alive = new Set(listed.filter((key) => key.goneByMs === null).map((key) => key.name))
  const stored = new Set(rows.map((row) => row.provider_key))
  const shards = new Map<number, ShardStatus>()
  for (const row of rows) {
    const before = shards.get(row.shard)
    shards.set(row.shard, {
      shard: row.shard,
      version: row.key_version,
      createdAt: row.created_at,
      seals: row.seals + (before?.seals ?? 0),
      olderVersions: before ? before.olderVersions + 1 : 0,
      keyAtProvider:
        row.provider_key !== null && alive.has(row.provider_key) && before?.keyAtProvider !== false,
    })
  }
  return {
    shards: [...shards.values()],
    strayKeys: [...alive].filter((name) => parseProviderKeyName(name) && !stored.has(name)),
    pending: listed.flatMap(({ name, goneByMs }) => (goneByMs === null ? [] : [{ name, goneByMs }])),
  }
}
