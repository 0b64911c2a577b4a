import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createPostgres, type TransactingPostgres } from '../postgres/client.ts'
import type { DestroyDeps } from '../postgres/destroy-secrets.ts'
import type { KeyProvider } from '../postgres/key-provider.ts'
import { type Keyring, openKeyring } from '../postgres/keyring.ts'
import { migratePostgres } from '../postgres/migrate.ts'
import { openKeyProvider } from '../postgres/open-key-provider.ts'
import { builtScript } from '../runtime/project-root.ts'
import type { CopiedSecret, CopiedVersion } from './keyring-attacker.ts'
import { createStage, type Stage } from './stage.ts'

export interface KeyringStage {
  stage: Stage
  postgres: TransactingPostgres
  provider: KeyProvider
  keyring: Keyring
  deps: DestroyDeps
  /** Makes people with secrets. */
  create(count: number): Promise<Map<string, Buffer>>
  copyRows(): Promise<{ versions: CopiedVersion[]; secrets: CopiedSecret[] }>
  /** Destroys in a process of its own. @returns its exit code, or the signal that ended it. */
  destroyInChild(ids: string[], fault: string): Promise<number | NodeJS.Signals>
  close(): Promise<void>
}

/** A keyring of a test's own. */
export async function createKeyringStage(environment: Record<string, string> = {}): Promise<KeyringStage> {
  const stage = await createStage({ migrate: false, environment })
  await migratePostgres(stage.config)
  const { keyringUrl } = stage.config.postgres
  const postgres = createPostgres(keyringUrl, { timeoutMs: 20_000 })
  const provider = await openKeyProvider(stage.config)
  const keyring = await openKeyring(postgres, provider)
  return {
    stage,
    postgres,
    provider,
    keyring,
    deps: { keyringUrl, provider },
    async create(count) {
      const made = await keyring.createSecrets(Array.from({ length: count }, () => randomUUID()))
      return new Map(made.map((one) => [one.subjectId, one.secret]))
    },
    copyRows: async () => ({
      versions: await postgres.query<CopiedVersion>(
        'copy_versions',
        'SELECT shard, key_version, wrapped FROM key_shards',
        [],
      ),
      secrets: await postgres.query<CopiedSecret>(
        'copy_secrets',
        'SELECT subject_id, shard, key_version, wrapped FROM subject_secrets',
        [],
      ),
    }),
    destroyInChild: (ids, fault) =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, [builtScript('tests/destroy-secrets-process.ts'), ...ids], {
          env: { ...process.env, ...stage.environment, EBB_FAULT: fault },
          stdio: ['ignore', 'ignore', 'inherit'],
        })
        child.once('exit', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'))
      }),
    async close() {
      await postgres.close()
      await stage.close()
    },
  }
}

/** Bytes of the keyring's tables, and of the write-ahead log since `since`, as the disk has them. */
export async function readDisk(postgres: TransactingPostgres, since: string): Promise<Buffer> {
  await postgres.query('checkpoint', 'CHECKPOINT', [])
  const rows = await postgres.query<{ bytes: Buffer }>(
    'disk_bytes',
    `SELECT pg_read_binary_file(pg_relation_filepath(t::regclass)) AS bytes
       FROM unnest(ARRAY['subject_secrets', 'key_shards']) AS t
     UNION ALL
     SELECT pg_read_binary_file('pg_wal/' || name) FROM pg_ls_waldir()
     WHERE name >= pg_walfile_name($1::pg_lsn) AND name <= pg_walfile_name(pg_current_wal_lsn())
       AND name ~ '^[0-9A-F]{24}$'`,
    [since],
  )
  return Buffer.concat(rows.map((row) => row.bytes))
}

export async function walPosition(postgres: TransactingPostgres): Promise<string> {
  const [row] = await postgres.query<{ at: string }>(
    'wal_position',
    'SELECT pg_current_wal_lsn()::text AS at',
    [],
  )
  return row!.at
}
