import { z } from 'zod'

export const BackupKind = z.enum(['clickhouse', 'postgres', 'keyring', 'wal'])
export type BackupKind = z.infer<typeof BackupKind>

/** One copy in the bucket `backups`: a row of the table `backups`, and a file of the bucket's own catalog. */
export const BackupRecord = z.strictObject({
  backupId: z.uuid(),
  kind: BackupKind,
  /** Prefix of its objects within the bucket. */
  location: z.string(),
  /** Milliseconds since 1970. What it holds was true at `takenAtMs`; from `expiresAtMs` on it is purged. */
  takenAtMs: z.number().int(),
  expiresAtMs: z.number().int(),
  detail: z.strictObject({
    /** False while it is written, and for ever when that failed: it is purged like the others, and never restored. */
    complete: z.boolean(),
    /** Postgres: which server, and what of its log is needed beside the files. */
    system: z.string().optional(),
    timeline: z.number().int().optional(),
    startLsn: z.string().optional(),
    stopLsn: z.string().optional(),
    /** Of a `wal` record: names of the segments. */
    segments: z.array(z.string().regex(/^[0-9A-F]{24}$/)).optional(),
    /** Of a `wal` record: when it was copied. `takenAtMs` is when the one before was: what it holds is younger. */
    shippedAtMs: z.number().int().optional(),
    /** Database whose files it has. */
    database: z.string().optional(),
    parts: z.number().int().optional(),
    bytes: z.number().int().optional(),
  }),
})
export type BackupRecord = z.infer<typeof BackupRecord>

export interface BackupInput {
  /** Default: all three. */
  kinds?: Exclude<BackupKind, 'wal'>[]
}

export interface BackupResult {
  backups: { kind: BackupKind; backupId: string; bytes: number }[]
  segments: number
  expired: number
}

/** Hour and minute of the daily backup, UTC: after the daily ETL and the archive. */
export const BACKUP_HOUR_UTC = 4

/** What the backup workflows call. All that passes is in histories: ids, sizes, counts. Each may be repeated. */
export interface BackupActivities {
  /** Takes one backup under the given id; a repeat begins it anew. */
  takeBackup(input: { backupId: string; kind: Exclude<BackupKind, 'wal'> }): Promise<{ bytes: number }>
  /** Copies the finished segments of Postgres's log that are not in the bucket yet. */
  shipWal(): Promise<{ segments: number }>
  /** Purges what is older than its expiry. */
  expireBackups(): Promise<{ expired: number }>
}

export type BackupErrorCode = 'backup_failed' | 'wal_gap' | 'backup_unknown'
