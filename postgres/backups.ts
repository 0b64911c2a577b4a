import type { BackupKind, BackupRecord } from '../schemas/backup.ts'
import type { Postgres } from './client.ts'

interface BackupRow {
  backup_id: string
  kind: BackupKind
  location: string
  taken_at: Date
  expires_at: Date
  detail: BackupRecord['detail']
}

/** Stores what is known of a backup; a later record of the same one replaces it. */
export async function recordBackup(postgres: Postgres, record: BackupRecord): Promise<void> {
  await postgres.query(
    'record_backup',
    `INSERT INTO backups (backup_id, kind, location, taken_at, expires_at, detail) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (backup_id) DO UPDATE SET detail = EXCLUDED.detail, taken_at = EXCLUDED.taken_at,
       expires_at = EXCLUDED.expires_at, deleted_at = NULL`,
    [
      record.backupId,
      record.kind,
      record.location,
      new Date(record.takenAtMs),
      new Date(record.expiresAtMs),
      JSON.stringify(record.detail),
    ],
  )
}

/** Backups that are not purged yet, oldest first; with `dueBy` those that expire at that moment or before. */
export async function listStoredBackups(postgres: Postgres, dueBy?: Date): Promise<BackupRecord[]> {
  const rows = await postgres.query<BackupRow>(
    'list_backups',
    `SELECT backup_id, kind, location, taken_at, expires_at, detail FROM backups
     WHERE deleted_at IS NULL AND ($1::timestamptz IS NULL OR expires_at <= $1) ORDER BY taken_at, backup_id`,
    [dueBy ?? null],
  )
  return rows.map((row) => ({
    backupId: row.backup_id,
    kind: row.kind,
    location: row.location,
    takenAtMs: row.taken_at.getTime(),
    expiresAtMs: row.expires_at.getTime(),
    detail: row.detail,
  }))
}

/** Marks a backup as purged; called when nothing of it is found any more. */
export async function markBackupDeleted(postgres: Postgres, backupId: string): Promise<void> {
  await postgres.query(
    'mark_backup_deleted',
    'UPDATE backups SET deleted_at = now() WHERE backup_id = $1 AND deleted_at IS NULL',
    [backupId],
  )
}
