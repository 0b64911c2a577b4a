import { s3Collection } from '../clickhouse/s3-collections.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ArchiveActivities } from '../schemas/archive.ts'
import type { BackupActivities } from '../schemas/backup.ts'
import { createArchiveDay } from './archive-day.ts'
import type { BackupDeps } from './backup-deps.ts'
import { createExpireBackups } from './expire-backups.ts'
import { mapErrors } from './map-errors.ts'
import { createShipWal } from './ship-wal.ts'
import { createTakeBackup } from './take-backup.ts'

/** Side effects of the archive's and the backups' workflows. What they throw is mapped to closed codes. */
export function createBackupActivities(
  deps: BackupDeps,
  logger: Logger,
): ArchiveActivities & BackupActivities {
  const activities: ArchiveActivities & BackupActivities = {
    archiveDay: createArchiveDay({
      ...deps,
      postgresUrl: deps.config.postgres.url,
      collection: s3Collection(deps.config, 'archive'),
    }),
    takeBackup: createTakeBackup(deps),
    shipWal: createShipWal(deps),
    expireBackups: createExpireBackups(deps),
  }
  return mapErrors(activities, logger)
}
