import { ApplicationFailure } from '@temporalio/common'
import type { ArchiveActivities } from '../schemas/archive.ts'
import type { BackupActivities } from '../schemas/backup.ts'
import type { Journal } from './call-journal.ts'

export interface BackupScript {
  /** Attempts that fail before one succeeds. */
  failures?: Partial<Record<'archiveDay' | 'shipWal', { times: number; code: string }>>
  /** Kind whose backup cannot be taken at all. */
  broken?: 'clickhouse' | 'postgres' | 'keyring'
}

/** Activities of the archive and the backups that follow a script. */
export function stubBackupActivities(
  script: BackupScript,
  journal: Journal,
): ArchiveActivities & BackupActivities {
  const failed = new Map<string, number>()
  const call = (name: 'archiveDay' | 'shipWal' | 'takeBackup' | 'expireBackups', detail = '') => {
    journal.push(detail ? `${name}:${detail}` : name)
    const failure = name === 'archiveDay' || name === 'shipWal' ? script.failures?.[name] : undefined
    const times = failed.get(name) ?? 0
    if (!failure || times >= failure.times) return
    failed.set(name, times + 1)
    throw ApplicationFailure.create({ type: failure.code, message: 'as the script says' })
  }
  return {
    async archiveDay({ day }) {
      call('archiveDay', day)
      return { day, rows: 1_500, files: 40 }
    },
    async takeBackup({ kind }) {
      call('takeBackup', kind)
      if (kind === script.broken) {
        throw ApplicationFailure.nonRetryable('as the script says', 'backup_failed')
      }
      return { bytes: 4_096 }
    },
    async shipWal() {
      call('shipWal')
      return { segments: 2 }
    },
    async expireBackups() {
      call('expireBackups')
      return { expired: 1 }
    },
  }
}
