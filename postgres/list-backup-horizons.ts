import type { ErasureHorizon } from '../schemas/erasure.ts'
import { listStoredBackups } from './backups.ts'
import type { Postgres } from './client.ts'

const WHAT = {
  clickhouse: 'backups of ClickHouse',
  postgres: 'backups of Postgres',
  keyring: 'backups of the keyring',
  wal: 'write-ahead log of Postgres, for restores to a moment',
} as const

/** Log of before a certificate may be copied this much later, when Postgres or the bucket was away. */
const SHIPPING_SLACK_MS = 3_600_000

/**
 * Until when copies may hold what stands in the stores now: for each kind the last expiry of those that exist. The
 * write-ahead log of this moment is copied later, and lives from then.
 * @param nowMs milliseconds since 1970
 */
export async function listBackupHorizons(
  postgres: Postgres,
  backupRetentionMs: number,
  nowMs: number,
): Promise<ErasureHorizon[]> {
  const last = new Map<keyof typeof WHAT, number>()
  for (const { kind, expiresAtMs } of await listStoredBackups(postgres)) {
    last.set(kind, Math.max(last.get(kind) ?? 0, expiresAtMs))
    if (kind === 'postgres' || kind === 'keyring') {
      const shipped = nowMs + backupRetentionMs + Math.min(SHIPPING_SLACK_MS, backupRetentionMs)
      last.set('wal', Math.max(last.get('wal') ?? 0, shipped))
    }
  }
  return [...last].map(([kind, expiresByMs]) => ({ store: 's3/backups', what: WHAT[kind], expiresByMs }))
}
