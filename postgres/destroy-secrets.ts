import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import { isLeftOut } from '../runtime/left-out-purge.ts'
import { PostgresRefusal } from './client.ts'
import type { KeyProvider } from './key-provider.ts'
import { parseProviderKeyName, shardOf } from './key-shard.ts'
import { type KeyringSession, lockShard, unlockShard, withKeyringSession } from './keyring-session.ts'
import { type RewrappedShard, type RewrapWish, rewrapShard } from './rewrap-shard.ts'
import { waitForReaders } from './wait-for-readers.ts'

export interface DestroyDeps {
  keyringUrl: string
  provider: KeyProvider
  /**
   * Called when survivors are sealed anew and before an old key is destroyed: from then on no older copy of the keyring
   * opens, so whoever backs it up by shipping WAL ships now, or a disk lost in between takes all survivors along.
   */
  beforeDestroying?(): Promise<void>
}

export interface DestroyedSecrets {
  shards: Pick<RewrappedShard, 'shard' | 'version' | 'survivors'>[]
  /** Names at the provider: evidence, no secret. */
  destroyedKeys: string[]
  /** When the provider's keys are beyond recall (milliseconds since 1970): now for a file, later for a KMS. */
  goneByMs: number
}

/**
 * Destroys the secrets of these ids (subjects, requests, holds): the survivors of each touched shard are sealed under a
 * new version, and the provider's key of the old one is destroyed. What WAL, dead tuples and backups hold of the victims is
 * unreadable from then on. One at a time for a shard; may be repeated after a crash anywhere; ids that are gone are fine.
 * Costs the survivors of the touched shards: 1,000 ids touch all shards, as 1,000,000 would, so destroy many at once.
 * @throws EbbError `key_unwrap_failed`, `keyring_busy`, `postgres_unavailable`, and the provider's
 */
export async function destroySecrets(deps: DestroyDeps, ids: readonly string[]): Promise<DestroyedSecrets> {
  const victims = new Map<number, string[]>()
  for (const id of ids) {
    const shard = shardOf(id)
    victims.set(shard, [...(victims.get(shard) ?? []), id])
  }
  return rewrapShards(
    deps,
    [...victims].map(([shard, own]) => ({ shard, victims: own })),
  )
}

/** Shards under way at a time: much of it is waiting for disks. */
const LANES = 4

/** Rewraps shards, then gives back the pages that still show destroyed rows. @param onShard called after each. */
export async function rewrapShards(
  deps: DestroyDeps,
  wishes: readonly Omit<RewrapWish, 'listed'>[],
  onShard: () => void = () => {},
): Promise<DestroyedSecrets> {
  const listed = await deps.provider.listKeys()
  const waiting = wishes.map((wish) => ({ ...wish, listed }))
  const done: RewrappedShard[] = []
  const lane = () =>
    withKeyringSession(deps.keyringUrl, async (session) => {
      for (let wish = waiting.shift(); wish; wish = waiting.shift()) {
        await lockShard(session, wish.shard)
        done.push(await rewrapShard(session, deps.provider, wish))
        await unlockShard(session, wish.shard)
        onShard()
      }
    })
  await Promise.all(Array.from({ length: Math.min(LANES, wishes.length) }, lane))
  const retired = done.flatMap((one) => one.retired)
  if (retired.length > 0) await deps.beforeDestroying?.()
  const destroyed = await Promise.all(retired.map((name) => destroyKey(deps.provider, name)))
  faultPoint('keyring.before-vacuum')
  // Always: an attempt that died just before has left it to this one.
  if (wishes.length > 0) await rewritePages(deps.keyringUrl)
  return {
    shards: done.map(({ shard, version, survivors }) => ({ shard, version, survivors })),
    destroyedKeys: retired,
    // Also of keys that an earlier attempt destroyed: a repeat tells the same horizon.
    goneByMs: Math.max(0, ...destroyed, ...done.map((one) => one.goneByMs)),
  }
}

async function destroyKey(provider: KeyProvider, name: string): Promise<number> {
  const { goneByMs } = await provider.destroyKey(name)
  faultPoint('keyring.after-key-destroyed')
  return goneByMs
}

const VACUUM_TRIES = 5

/**
 * A plain VACUUM leaves the bytes of dead rows in their pages: FULL writes the tables anew. It locks them for as long as that
 * takes, a second for a million secrets, and does not queue for the lock for long, since whoever comes after it would queue as well.
 */
async function rewritePages(keyringUrl: string): Promise<void> {
  if (isLeftOut('keyring-rewrite')) return
  await withKeyringSession(keyringUrl, async (session) => {
    await waitForReaders(session)
    await session.query('lock_timeout', `SET lock_timeout = '1s'`, [])
    for (const table of ['key_shards', 'subject_secrets', 'app_keys']) await vacuumFull(session, table)
  })
}

async function vacuumFull(session: KeyringSession, table: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await session.query(`vacuum_${table}`, `VACUUM (FULL, ANALYZE) ${table}`, [])
      return
    } catch (error) {
      const locked =
        error instanceof PostgresRefusal && (error.sqlState === '55P03' || error.sqlState === '40P01')
      if (!locked) throw error
      if (tries === VACUUM_TRIES) throw new EbbError('keyring_busy', `${table} stays locked by others`)
    }
  }
}

export interface RemainingSecrets {
  /** Rows of these ids. */
  secrets: number
  /** Versions of their shards that are not the newest. */
  oldVersions: number
  /** Keys at the provider of such versions, names; those in their waiting period are not among them. */
  oldKeys: string[]
}

/** What is left that could open secrets of these ids. All is zero once `destroySecrets` has gone through. */
export async function secretsRemaining(deps: DestroyDeps, ids: readonly string[]): Promise<RemainingSecrets> {
  const shards = [...new Set(ids.map(shardOf))]
  const newest = new Map<number, number>()
  const [counts] = await withKeyringSession(deps.keyringUrl, async (session) => {
    const rows = await session.query<{ shard: number; newest: number }>(
      'newest_versions',
      'SELECT shard, max(key_version) AS newest FROM key_shards WHERE shard = ANY($1::smallint[]) GROUP BY shard',
      [shards],
    )
    for (const row of rows) newest.set(row.shard, row.newest)
    return session.query<{ secrets: number; versions: number }>(
      'secrets_remaining',
      `SELECT (SELECT count(*) FROM subject_secrets WHERE subject_id = ANY($1::uuid[]))::integer AS secrets,
              (SELECT count(*) FROM key_shards WHERE shard = ANY($2::smallint[]))::integer AS versions`,
      [ids, shards],
    )
  })
  const oldKeys = (await deps.provider.listKeys()).filter(({ name, goneByMs }) => {
    const key = parseProviderKeyName(name)
    return goneByMs === null && key && key.keyVersion < (newest.get(key.shard) ?? 0)
  })
  return {
    secrets: counts!.secrets,
    oldVersions: counts!.versions - newest.size,
    oldKeys: oldKeys.map((key) => key.name),
  }
}
