import { randomBytes } from 'node:crypto'
import { EbbError } from '../runtime/errors.ts'
import { type Postgres, PostgresRefusal } from './client.ts'
import type { KeyProvider } from './key-provider.ts'
import { APP_SHARD, appContext, shardOf, subjectContext } from './key-shard.ts'
import { seal, unseal } from './seal.ts'
import { openShardKeys, type ShardKey, type ShardKeys } from './shard-keys.ts'
import { takeOverKeyring } from './take-over.ts'

export { KEY_SHARDS } from './key-shard.ts'

export type KeyringErrorCode = 'key_unwrap_failed' | 'keyring_busy'

export interface SubjectSecret {
  /** Subject id, a UUID in text. */
  subjectId: string
  /** 32 random bytes from which all of the subject's keys are derived. */
  secret: Buffer
}

export interface Keyring {
  /**
   * Makes one secret for each subject id (lower case) and stores it under its shard's newest key; when this resolves they
   * are on disk. @throws EbbError `keyring_busy` when each try met another rotation.
   */
  createSecrets(subjectIds: string[]): Promise<SubjectSecret[]>
  /** Secrets by subject id; one that is not there (destroyed) is missing from the map. */
  readSecrets(subjectIds: string[]): Promise<Map<string, Buffer>>
  /**
   * Removes secrets that were made for nothing, by a creator that lost a race, and have sealed nothing. Whoever's secret was
   * used goes by postgres/destroy-secrets.ts: a deleted row is not a destroyed key.
   */
  dropSecrets(subjectIds: string[]): Promise<void>
  /** The app's look-up key (32 bytes), made when first asked for. It turns a person's id into a handle. */
  appLookupKey(app: string): Promise<Buffer>
}

interface SealedRow {
  /** Subject id, or app. */
  id: string
  shard: number
  key_version: number
  wrapped: Buffer
}

/** A rotation takes a while, so that one meets a read or a write at most once or twice. */
const ROTATION_TRIES = 5

/** Keys that others have destroyed are out of this process's memory after this long, where it is in use. */
const REFRESH_MS = 60_000

/**
 * Opens the keyring: makes what shard keys are missing and unwraps them all into memory.
 * @throws EbbError `key_unwrap_failed` when the key provider is not the one that wrapped this keyring.
 */
export async function openKeyring(postgres: Postgres, provider: KeyProvider): Promise<Keyring> {
  await takeOverKeyring(postgres, provider)
  const shards = await openShardKeys(postgres, provider)
  return {
    createSecrets: (subjectIds) => createSecrets(postgres, shards, subjectIds),
    readSecrets: (subjectIds) =>
      readOpened(shards, () => selectSecrets(postgres, subjectIds), subjectContext),
    async dropSecrets(subjectIds) {
      await postgres.query('drop_secrets', 'DELETE FROM subject_secrets WHERE subject_id = ANY($1::uuid[])', [
        subjectIds,
      ])
    },
    appLookupKey: (app) => readOrMakeAppKey(postgres, shards, app),
  }
}

async function createSecrets(
  postgres: Postgres,
  shards: ShardKeys,
  subjectIds: string[],
): Promise<SubjectSecret[]> {
  refreshOld(shards)
  const made = subjectIds.map((subjectId) => ({ subjectId, secret: randomBytes(32) }))
  let left = made
  for (let tries = 0; left.length > 0; tries++) {
    if (tries === ROTATION_TRIES) throw new EbbError('keyring_busy', 'shard keys change all the time')
    if (tries > 0) await shards.refresh()
    const sealed = left.map((one) => ({ ...one, ...shards.newest(shardOf(one.subjectId)) }))
    const stored = await ifVersionGone(insertSecrets(postgres, sealed))
    left = left.filter((one) => !stored?.has(one.subjectId))
  }
  return made
}

/**
 * Stores secrets, except those whose shard has a newer key by now: what is written under an old one after a rotation would
 * be lost, or keep alive what the rotation was to destroy. A rotation that begins meanwhile finds the row, or its removal
 * of the old key is refused by the foreign key.
 * @returns the subject ids of those stored.
 */
async function insertSecrets(
  postgres: Postgres,
  sealed: readonly (SubjectSecret & ShardKey)[],
): Promise<Set<string>> {
  const rows = await postgres.query<{ subject_id: string }>(
    'create_secrets',
    `INSERT INTO subject_secrets (subject_id, shard, key_version, wrapped)
     SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::integer[], $4::bytea[])
       AS made (subject_id, shard, key_version, wrapped)
     WHERE NOT EXISTS (
       SELECT FROM key_shards newer WHERE newer.shard = made.shard AND newer.key_version > made.key_version
     )
     RETURNING subject_id`,
    [
      sealed.map((one) => one.subjectId),
      sealed.map((one) => one.shard),
      sealed.map((one) => one.keyVersion),
      sealed.map((one) => seal(one.key, one.secret, subjectContext(one.subjectId))),
    ],
  )
  return new Set(rows.map((row) => row.subject_id))
}

/** undefined when the key that it seals with was destroyed before the row could name it. */
async function ifVersionGone<T>(insert: Promise<T>): Promise<T | undefined> {
  try {
    return await insert
  } catch (error) {
    if (error instanceof PostgresRefusal && error.sqlState === '23503') return undefined
    throw error
  }
}

function selectSecrets(postgres: Postgres, subjectIds: readonly string[]): Promise<SealedRow[]> {
  return postgres.query<SealedRow>(
    'read_secrets',
    `SELECT subject_id AS id, shard, key_version, wrapped FROM subject_secrets
     WHERE subject_id = ANY($1::uuid[])`,
    [subjectIds],
  )
}

/**
 * Reads rows and opens what they seal, by id. Until the keys of all are in memory it looks again: another process may
 * rewrap some between our look and our refresh.
 */
async function readOpened(
  shards: ShardKeys,
  read: () => Promise<SealedRow[]>,
  contextOf: (id: string) => Buffer,
): Promise<Map<string, Buffer>> {
  refreshOld(shards)
  for (let tries = 1; ; tries++) {
    const rows = await read()
    if (rows.every((row) => shards.find(row.shard, row.key_version))) {
      return new Map(rows.map((row) => [row.id, open(shards, row, contextOf(row.id))]))
    }
    if (tries === ROTATION_TRIES) throw new EbbError('key_unwrap_failed', 'a shard key is gone')
    await shards.refresh()
  }
}

/** Not waited for: what is asked for now does not need it, and who needs a new key refreshes by itself. */
function refreshOld(shards: ShardKeys): void {
  if (shards.age() > REFRESH_MS) shards.refresh().catch(() => {})
}

function open(shards: ShardKeys, row: SealedRow, context: Buffer): Buffer {
  try {
    return unseal(shards.find(row.shard, row.key_version)!, row.wrapped, context)
  } catch (cause) {
    const shard = `${row.shard}/${row.key_version}`
    throw new EbbError('key_unwrap_failed', `a secret of shard ${shard} does not unwrap`, { cause })
  }
}

async function readOrMakeAppKey(postgres: Postgres, shards: ShardKeys, app: string): Promise<Buffer> {
  const read = () =>
    postgres.query<SealedRow>(
      'read_app_key',
      'SELECT app AS id, shard, key_version, wrapped FROM app_keys WHERE app = $1',
      [app],
    )
  for (let tries = 0; tries < ROTATION_TRIES; tries++) {
    const stored = (await readOpened(shards, read, appContext)).get(app)
    if (stored) return stored
    if (tries > 0) await shards.refresh()
    await ifVersionGone(insertAppKey(postgres, shards.newest(APP_SHARD), app))
  }
  throw new EbbError('keyring_busy', 'shard keys change all the time')
}

async function insertAppKey(postgres: Postgres, sealing: ShardKey, app: string): Promise<void> {
  await postgres.query(
    'create_app_key',
    `INSERT INTO app_keys (app, wrapped, shard, key_version)
     SELECT $1, $2, $3::smallint, $4::integer
     WHERE NOT EXISTS (SELECT FROM key_shards WHERE shard = $3::smallint AND key_version > $4::integer)
     ON CONFLICT DO NOTHING`,
    [app, seal(sealing.key, randomBytes(32), appContext(app)), sealing.shard, sealing.keyVersion],
  )
}
