import { uuid4 } from '@temporalio/workflow'
import type { BackupInput, BackupResult } from '../schemas/backup.ts'
import { copies, upkeep } from './backup-activities.ts'
import { scheduledDay } from './period.ts'
import { trackProgress } from './track-progress.ts'

/** Takes one backup of each kind, the log that belongs to them, and lets go of what has expired. */
export async function backup(input: BackupInput = {}): Promise<BackupResult> {
  const track = trackProgress('Backup', scheduledDay())
  const result: BackupResult = { backups: [], segments: 0, expired: 0 }
  const failures: unknown[] = []

  // 1. Each kind by itself: one engine that is away does not cost the others their backup.
  for (const kind of input.kinds ?? (['clickhouse', 'postgres', 'keyring'] as const)) {
    const backupId = uuid4()
    try {
      const { bytes } = await track.step(
        `copying ${kind}`,
        () => copies.takeBackup.executeWithOptions({ summary: `Backup of ${kind}` }, [{ backupId, kind }]),
        (taken) => `${taken.bytes} bytes`,
      )
      result.backups.push({ kind, backupId, bytes })
    } catch (error) {
      failures.push(error)
    }
  }

  // 2. A base backup is whole with the log from its start to its end. 3. Old ones go, also when a new one failed.
  try {
    result.segments = (
      await track.step('copying the log', upkeep.shipWal, (done) => `${done.segments} segments`)
    ).segments
  } catch (error) {
    failures.push(error)
  }
  result.expired = (
    await track.step('expiring', upkeep.expireBackups, (done) => `${done.expired} purged`)
  ).expired
  if (failures.length > 0) throw failures[0]
  track.say('done')
  return result
}
