import type { Postgres } from '../../postgres/client.ts'
import type { KeyReader } from '../../postgres/key-provider.ts'
import { APP_SHARD, appContext, shardContext, subjectContext } from '../../postgres/key-shard.ts'
import { unseal } from '../../postgres/seal.ts'
import { EbbError } from '../../runtime/errors.ts'

/** What opens a secret: its shard, the version that seals it, and the provider's key that wraps that. */
export interface SecretPlace {
  shard: number
  keyVersion: number
  providerKey: string
}

export interface FoundSecret extends SecretPlace {
  secret: Buffer
}

interface Row {
  id: string
  shard: number
  key_version: number
  wrapped: Buffer
  provider_key: string
  shard_wrapped: Buffer
}

/** The verifier's own reader of the keyring: it makes nothing and keeps no key in memory. */
export interface KeyringReader {
  /** Secrets by id; one that is not there is missing from the map. @throws EbbError `key_unwrap_failed` */
  secrets(ids: readonly string[]): Promise<Map<string, FoundSecret>>
  /** Look-up key of an app, or undefined when nobody has needed one yet. */
  lookupKey(app: string): Promise<Buffer | undefined>
  /** How many of these ids have a row still, whatever opens it. */
  remaining(ids: readonly string[]): Promise<Set<string>>
  /** All versions of these shards that have a row. */
  versions(shards: readonly number[]): Promise<SecretPlace[]>
}

const OPENED = `s.shard, s.key_version, s.wrapped, k.provider_key, k.wrapped AS shard_wrapped`

/** A rotation between our two looks is met by looking again. */
const TRIES = 4

export function createKeyringReader(postgres: Postgres, provider: KeyReader): KeyringReader {
  async function open(row: Row, context: Buffer, keys: Map<string, Promise<Buffer>>): Promise<Buffer> {
    let key = keys.get(row.provider_key)
    if (!key) {
      key = provider.unwrap(row.provider_key, row.shard_wrapped, shardContext(row.shard, row.key_version))
      keys.set(row.provider_key, key)
    }
    return unseal(await key, row.wrapped, context)
  }

  async function openAll(read: () => Promise<Row[]>, contextOf: (id: string) => Buffer) {
    for (let tries = 1; ; tries++) {
      const rows = await read()
      const keys = new Map<string, Promise<Buffer>>()
      try {
        const opened = new Map<string, FoundSecret>()
        for (const row of rows) {
          const secret = await open(row, contextOf(row.id), keys)
          const { shard, key_version: keyVersion, provider_key: providerKey } = row
          opened.set(row.id, { shard, keyVersion, providerKey, secret })
        }
        return opened
      } catch (cause) {
        if (tries === TRIES) throw new EbbError('key_unwrap_failed', 'a secret does not unwrap', { cause })
      }
    }
  }

  return {
    secrets: (ids) =>
      openAll(
        () =>
          postgres.query<Row>(
            'verifier_secrets',
            `SELECT s.subject_id AS id, ${OPENED} FROM subject_secrets s
             JOIN key_shards k USING (shard, key_version) WHERE s.subject_id = ANY($1::uuid[])`,
            [ids],
          ),
        subjectContext,
      ),
    async lookupKey(app) {
      const found = await openAll(
        () =>
          postgres.query<Row>(
            'verifier_app_key',
            `SELECT s.app AS id, ${OPENED} FROM app_keys s JOIN key_shards k USING (shard, key_version)
             WHERE s.app = $1 AND s.shard = $2`,
            [app, APP_SHARD],
          ),
        appContext,
      )
      return found.get(app)?.secret
    },
    async remaining(ids) {
      const rows = await postgres.query<{ id: string }>(
        'verifier_remaining_secrets',
        'SELECT subject_id AS id FROM subject_secrets WHERE subject_id = ANY($1::uuid[])',
        [ids],
      )
      return new Set(rows.map((row) => row.id))
    },
    async versions(shards) {
      const rows = await postgres.query<{ shard: number; key_version: number; provider_key: string | null }>(
        'verifier_shard_versions',
        'SELECT shard, key_version, provider_key FROM key_shards WHERE shard = ANY($1::smallint[])',
        [shards],
      )
      return rows.map((row) => ({
        shard: row.shard,
        keyVersion: row.key_version,
        providerKey: row.provider_key ?? '',
      }))
    },
  }
}
