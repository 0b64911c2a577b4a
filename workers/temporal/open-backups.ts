import { createBackupActivities } from '../../activities/create-backup-activities.ts'
import { createClickHouse } from '../../clickhouse/client.ts'
import { createPostgres } from '../../postgres/client.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import { createS3 } from '../../s3/client.ts'

/** A backup is one statement; as long as the activity that waits for it (workflows/backup-activities.ts). */
const BACKUP_TIMEOUT_MS = 6 * 3_600_000

/** The archive's and the backups' activities over the real engines. */
export function openBackups(
  config: Config,
  logger: Logger,
): { activities: ReturnType<typeof createBackupActivities>; close(): Promise<void> } {
  const clickhouse = createClickHouse(config, { requestTimeoutMs: BACKUP_TIMEOUT_MS })
  const postgres = createPostgres(config.postgres.url, { connections: 2 })
  const s3 = createS3(config)
  return {
    activities: createBackupActivities({ clickhouse, postgres, s3, config, now: Date.now }, logger),
    async close() {
      s3.close()
      await Promise.all([clickhouse.close(), postgres.close()])
    },
  }
}
