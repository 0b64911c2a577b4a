import { listStoredBackups, markBackupDeleted } from '../postgres/backups.ts'
import { isLeftOut } from '../runtime/left-out-purge.ts'
import { purgeCatalogRecord, readCatalog } from '../s3/backup-catalog.ts'
import type { S3 } from '../s3/client.ts'
import { purgeObject, purgePrefix } from '../s3/purge.ts'
import type { BackupActivities, BackupRecord } from '../schemas/backup.ts'
import type { BackupDeps } from './backup-deps.ts'
import { beatWhile } from './beat-while.ts'

export function createExpireBackups(deps: BackupDeps): BackupActivities['expireBackups'] {
  return () => beatWhile(() => expireBackups(deps))
}

/**
 * Purges every backup whose time is over, all versions of all its objects, and marks it when they are gone. The catalog in the
 * bucket counts as well as the table: after a restore the table may know less.
 */
export async function expireBackups(
  deps: Pick<BackupDeps, 's3' | 'postgres' | 'now'>,
): Promise<{ expired: number }> {
  const { s3, postgres } = deps
  const now = deps.now()
  const due = new Map<string, BackupRecord>()
  for (const record of await readCatalog(s3)) if (record.expiresAtMs <= now) due.set(record.backupId, record)
  for (const record of await listStoredBackups(postgres, new Date(now))) due.set(record.backupId, record)
  for (const record of due.values()) {
    await purgeFiles(s3, record)
    await purgeCatalogRecord(s3, record.backupId)
    await markBackupDeleted(postgres, record.backupId)
  }
  return { expired: due.size }
}

async function purgeFiles(s3: S3, { kind, location, detail }: BackupRecord): Promise<void> {
  if (isLeftOut('backup-expiry')) return
  if (kind === 'wal') {
    for (const name of detail.segments ?? []) await purgeObject(s3, 'backups', `${location}${name}.gz`)
  } else await purgePrefix(s3, 'backups', location)
}
