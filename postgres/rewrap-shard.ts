import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import { PostgresRefusal } from './client.ts'
import type { KeyProvider, ListedKey } from './key-provider.ts'
import { APP_SHARD, parseProviderKeyName, shardContext } from './key-shard.ts'
import type { KeyringSession } from './keyring-session.ts'
import { rewrapRows } from './rewrap-rows.ts'
import { addShardKeys } from './shard-keys.ts'

export interface RewrapWish {
  shard: number
  /** The provider's keys as of some moment before: one list serves many shards. */
  listed: readonly ListedKey[]
  /** Subject ids of this shard whose secrets are not taken along. */
  victims: string[]
  /** A newest version made before this moment gets a successor also when it seals no victim (milliseconds since 1970). */
  renewBefore?: number
}

export interface RewrappedShard {
  shard: number
  /** The version that seals the shard's secrets now. */
  version: number
  /** Secrets sealed anew. */
  survivors: number
  /** Names of the provider's keys that wrap nothing any more and are to be destroyed. */
  retired: string[]
  /** When keys that earlier attempts destroyed are beyond recall (milliseconds since 1970; 0: none waits). */
  goneByMs: number
}

interface Version {
  key_version: number
  wrapped: Buffer
  provider_key: string
  created_ms: number
}

/** Each try meets one more insert that began under the old version; those end within a statement's time. */
const REMOVE_TRIES = 20

/**
 * Leaves a shard with one version that has never sealed a victim, and names the keys of all before it. Each step is
 * durable and the whole may be repeated after a crash at any of them: what it finds half done it finishes. New secrets are
 * written under the new version meanwhile. Costs the shard's survivors, sealed anew. The caller holds the shard's lock.
 */
export async function rewrapShard(
  session: KeyringSession,
  provider: KeyProvider,
  wish: RewrapWish,
): Promise<RewrappedShard> {
  const { shard, victims } = wish
  // 1. A version that no victim has been sealed by: the newest, unless it has.
  let versions = await readVersions(session, shard)
  if (versions.length === 0) return { shard, version: 0, survivors: 0, retired: [], goneByMs: 0 }
  if (await needsSuccessor(session, versions.at(-1)!, wish)) {
    await addShardKeys(session, provider, [{ shard, keyVersion: nextVersion(versions, wish) }])
    faultPoint('keyring.after-version')
    versions = await readVersions(session, shard)
  }
  const target = versions.at(-1)!
  const olds = versions.slice(0, -1)

  // 2. Survivors go under it, victims and older versions go.
  let survivors = 0
  if (olds.length > 0) {
    const keys = new Map<number, Buffer>()
    for (const version of versions)
      keys.set(version.key_version, await unwrapVersion(provider, shard, version))
    for (let tries = 0; ; tries++) {
      if (tries === REMOVE_TRIES)
        throw new EbbError('keyring_busy', `shard ${shard} is written to all the time`)
      survivors += await rewrapRows(session, { shard, target: target.key_version, keys, victims })
      if (shard !== APP_SHARD) await deleteVictims(session, shard, victims)
      faultPoint('keyring.after-delete')
      if (await removeVersions(session, shard, target.key_version)) break
    }
    for (const key of keys.values()) key.fill(0)
    faultPoint('keyring.after-version-delete')
  }

  return { shard, version: target.key_version, survivors, ...retire(olds, wish, target) }
}

function readVersions(session: KeyringSession, shard: number): Promise<Version[]> {
  return session.query<Version>(
    'shard_versions',
    `SELECT key_version, wrapped, provider_key, extract(epoch FROM created_at)::float8 * 1000 AS created_ms
     FROM key_shards WHERE shard = $1 ORDER BY key_version`,
    [shard],
  )
}

async function needsSuccessor(session: KeyringSession, newest: Version, wish: RewrapWish): Promise<boolean> {
  if (wish.renewBefore !== undefined && newest.created_ms < wish.renewBefore) return true
  const [row] = await session.query<{ sealed: boolean }>(
    'newest_seals_victims',
    `SELECT EXISTS (
       SELECT FROM subject_secrets WHERE shard = $1 AND key_version = $2 AND subject_id = ANY($3::uuid[])
     ) AS sealed`,
    [wish.shard, newest.key_version, wish.victims],
  )
  return row!.sealed
}

/** Above all that the provider knows, too: a keyring restored from a backup must not meet a key of its lost future. */
function nextVersion(versions: Version[], wish: RewrapWish): number {
  return Math.max(versions.at(-1)!.key_version, ...keysOf(wish).map((key) => key.keyVersion)) + 1
}

function keysOf({
  shard,
  listed,
}: RewrapWish): { name: string; keyVersion: number; goneByMs: number | null }[] {
  return listed.flatMap(({ name, goneByMs }) => {
    const parsed = parseProviderKeyName(name)
    return parsed?.shard === shard ? [{ name, keyVersion: parsed.keyVersion, goneByMs }] : []
  })
}

async function unwrapVersion(provider: KeyProvider, shard: number, version: Version): Promise<Buffer> {
  try {
    const context = shardContext(shard, version.key_version)
    return await provider.unwrap(version.provider_key, version.wrapped, context)
  } catch (cause) {
    if ((cause as EbbError).code !== 'key_missing') throw cause
    throw new EbbError('key_unwrap_failed', `the provider lacks ${version.provider_key}`, { cause })
  }
}

async function deleteVictims(session: KeyringSession, shard: number, victims: string[]): Promise<void> {
  await session.query(
    'delete_victims',
    'DELETE FROM subject_secrets WHERE shard = $1 AND subject_id = ANY($2::uuid[])',
    [shard, victims],
  )
}

/** @returns false when a secret was written under an old version meanwhile: rewrap again. */
async function removeVersions(session: KeyringSession, shard: number, below: number): Promise<boolean> {
  try {
    await session.query('remove_versions', 'DELETE FROM key_shards WHERE shard = $1 AND key_version < $2', [
      shard,
      below,
    ])
    return true
  } catch (error) {
    if (error instanceof PostgresRefusal && error.sqlState === '23503') return false
    throw error
  }
}

/** The keys that wrapped the old versions, and what earlier attempts left of such. */
function retire(
  olds: Version[],
  wish: RewrapWish,
  target: Version,
): Pick<RewrappedShard, 'retired' | 'goneByMs'> {
  const older = keysOf(wish).filter((key) => key.keyVersion < target.key_version)
  const alive = older.filter((key) => key.goneByMs === null).map((key) => key.name)
  return {
    retired: [...new Set([...olds.map((version) => version.provider_key), ...alive])],
    goneByMs: Math.max(0, ...older.map((key) => key.goneByMs ?? 0)),
  }
}
