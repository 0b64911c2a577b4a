import { randomBytes } from 'node:crypto'
import { EbbError } from '../runtime/errors.ts'
import type { Postgres } from './client.ts'
import type { KeyProvider } from './key-provider.ts'
import { seal, unseal } from './seal.ts'

export type KeyringErrorCode = 'key_unwrap_failed' | 'keyring_busy'

/** Subjects fall into this many shards; destroying one secret rewraps one shard, so a shard is kept small. */
export const KEY_SHARDS = 64

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
  /** Removes secrets that were made for nothing, by a creator that lost a race. */
  dropSecrets(subjectIds: string[]): Promise<void>
  /** The app's look-up key (32 bytes), made when first asked for. It turns a person's id into a handle. */
  appLookupKey(app: string): Promise<Buffer>
}

interface ShardKey {
  shard: number
  keyVersion: number
  key: Buffer
}

interface SecretRow {
  subject_id: string
  shard: number
  key_version: number
  wrapped: Buffer
}

/**
 * Opens the keyring: makes what shard keys are missing and unwraps them all into memory.
 * @throws EbbError `key_unwrap_failed` when the key provider is not the one that wrapped this keyring.
 */
export async function openKeyring(postgres: Postgres, provider: KeyProvider): Promise<Keyring> {
  let keys = new Map<string, Buffer>()
  let newest: ShardKey[] = []
  /** Keys that are no longer stored are forgotten here too: a destroyed one must not live on in memory. */
  const refresh = async () => {
    const stored = await readShardKeys(postgres, provider)
    keys = new Map(stored.map((one) => [`${one.shard}/${one.keyVersion}`, one.key]))
    newest = []
    for (const shardKey of stored) newest[shardKey.shard] = shardKey
  }
  await refresh()

  const shardOf = (subjectId: string) => newest[Number.parseInt(subjectId.slice(0, 2), 16) % KEY_SHARDS]!
  const isKnown = (row: SecretRow) => keys.has(`${row.shard}/${row.key_version}`)
  const openSecret = (row: SecretRow): Buffer => {
    const id = `${row.shard}/${row.key_version}`
    const key = keys.get(id)
    if (!key) throw new EbbError('key_unwrap_failed', `shard key ${id} is gone`)
    try {
      return unseal(key, row.wrapped, uuidBytes(row.subject_id))
    } catch (cause) {
      throw new EbbError('key_unwrap_failed', `a secret of shard ${id} does not unwrap`, { cause })
    }
  }

  return {
    async createSecrets(subjectIds) {
      const made = subjectIds.map((subjectId) => ({ subjectId, secret: randomBytes(32) }))
      let left = made
      for (let tries = 0; left.length > 0; tries++) {
        if (tries === ROTATION_TRIES) throw new EbbError('keyring_busy', 'shard keys change all the time')
        if (tries > 0) await refresh()
        const sealed = left.map((one) => ({ ...one, ...shardOf(one.subjectId) }))
        const stored = await insertSecrets(postgres, sealed)
        left = left.filter((one) => !stored.has(one.subjectId))
      }
      return made
    },
    async readSecrets(subjectIds) {
      let rows = await selectSecrets(postgres, subjectIds)
      if (!rows.every(isKnown)) {
        // Another process has rotated a shard since we looked; it may have rewrapped more of these rows meanwhile.
        await refresh()
        rows = await selectSecrets(postgres, subjectIds)
      }
      return new Map(rows.map((row) => [row.subject_id, openSecret(row)]))
    },
    async dropSecrets(subjectIds) {
      await postgres.query('drop_secrets', 'DELETE FROM subject_secrets WHERE subject_id = ANY($1::uuid[])', [
        subjectIds,
      ])
    },
    appLookupKey: (app) => readOrMakeAppKey(postgres, provider, app),
  }
}

/** A rotation takes a while, so that one meets a write at most once or twice. */
const ROTATION_TRIES = 4

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
      sealed.map((one) => seal(one.key, one.secret, uuidBytes(one.subjectId))),
    ],
  )
  return new Set(rows.map((row) => row.subject_id))
}

function selectSecrets(postgres: Postgres, subjectIds: readonly string[]): Promise<SecretRow[]> {
  return postgres.query<SecretRow>(
    'read_secrets',
    'SELECT subject_id, shard, key_version, wrapped FROM subject_secrets WHERE subject_id = ANY($1::uuid[])',
    [subjectIds],
  )
}

/** All shard keys, oldest version first; missing shards are made, and where two processes make one, both take the stored one. */
async function readShardKeys(postgres: Postgres, provider: KeyProvider): Promise<ShardKey[]> {
  const read = () =>
    postgres.query<Omit<SecretRow, 'subject_id'>>(
      'read_shard_keys',
      'SELECT shard, key_version, wrapped FROM key_shards ORDER BY shard, key_version',
      [],
    )
  let rows = await read()
  const present = new Set(rows.map((row) => row.shard))
  const missing = Array.from({ length: KEY_SHARDS }, (_, shard) => shard).filter(
    (shard) => !present.has(shard),
  )
  if (missing.length > 0) {
    const wrapped = await Promise.all(
      missing.map((shard) => provider.wrap(randomBytes(32), shardContext(shard, 1))),
    )
    await postgres.query(
      'create_shard_keys',
      `INSERT INTO key_shards (shard, key_version, wrapped)
       SELECT shard, 1, wrapped FROM unnest($1::smallint[], $2::bytea[]) AS made (shard, wrapped)
       ON CONFLICT DO NOTHING`,
      [missing, wrapped],
    )
    rows = await read()
  }
  return Promise.all(
    rows.map(async (row) => ({
      shard: row.shard,
      keyVersion: row.key_version,
      key: await provider.unwrap(row.wrapped, shardContext(row.shard, row.key_version)),
    })),
  )
}

async function readOrMakeAppKey(postgres: Postgres, provider: KeyProvider, app: string): Promise<Buffer> {
  const context = `ebb app look-up key ${app}`
  const read = () =>
    postgres.query<{ wrapped: Buffer }>('read_app_key', 'SELECT wrapped FROM app_keys WHERE app = $1', [app])
  let rows = await read()
  if (rows.length === 0) {
    await postgres.query(
      'create_app_key',
      'INSERT INTO app_keys (app, wrapped) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [app, await provider.wrap(randomBytes(32), context)],
    )
    rows = await read()
  }
  return provider.unwrap(rows[0]!.wrapped, context)
}

function shardContext(shard: number, keyVersion: number): string {
  return `ebb key shard ${shard} version ${keyVersion}`
}

function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}
