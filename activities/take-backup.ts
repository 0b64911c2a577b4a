import { backUpDatabase } from '../clickhouse/back-up.ts'
import { s3Collection } from '../clickhouse/s3-collections.ts'
import { recordBackup } from '../postgres/backups.ts'
import { takeBaseBackup } from '../postgres/base-backup.ts'
import { ensureSlot, readWalState, slotName } from '../postgres/wal-slot.ts'
import { databaseOf, withSession } from '../postgres/with-session.ts'
import { faultPoint } from '../runtime/fault.ts'
import { writeCatalogRecord } from '../s3/backup-catalog.ts'
import { listObjects } from '../s3/list-objects.ts'
import { purgeOldVersions, purgePrefix } from '../s3/purge.ts'
import { createPartsWriter } from '../s3/put-parts.ts'
import type { BackupActivities, BackupRecord } from '../schemas/backup.ts'
import type { BackupDeps } from './backup-deps.ts'
import { beatWhile } from './beat-while.ts'

type Kind = Parameters<BackupActivities['takeBackup']>[0]['kind']

export function createTakeBackup(deps: BackupDeps): BackupActivities['takeBackup'] {
  return (input) => beatWhile(() => takeBackup(deps, input))
}

/**
 * Takes one backup. It is on record before its first byte is written: one that a crash cut short expires like any other, and
 * an erasure waits for it. A repeat begins anew in the same place.
 */
export async function takeBackup(
  deps: BackupDeps,
  { backupId, kind }: { backupId: string; kind: Kind },
): Promise<{ bytes: number }> {
  const { s3, postgres, config } = deps
  const takenAtMs = deps.now()
  const { backupRetentionMs, keyringBackupRetentionMs } = config.privacy
  const retentionMs = kind === 'keyring' ? keyringBackupRetentionMs : backupRetentionMs
  const record: BackupRecord = {
    backupId,
    kind,
    location: `${kind}/${backupId}/`,
    takenAtMs,
    expiresAtMs: takenAtMs + retentionMs,
    detail: { complete: false },
  }
  await recordBackup(postgres, record)
  await writeCatalogRecord(s3, record)
  await purgePrefix(s3, 'backups', record.location)
  faultPoint('backup.recorded')
  const detail =
    kind === 'clickhouse'
      ? await copyClickHouse(deps, record)
      : await copyPostgres(
          deps,
          record,
          kind === 'keyring' ? config.postgres.keyringUrl : config.postgres.url,
        )
  const complete = { ...record, detail: { ...detail, complete: true } }
  await writeCatalogRecord(s3, complete)
  await recordBackup(postgres, complete)
  return { bytes: detail.bytes ?? 0 }
}

async function copyClickHouse(
  deps: BackupDeps,
  record: BackupRecord,
): Promise<Omit<BackupRecord['detail'], 'complete'>> {
  const { database, cluster } = deps.config.clickhouse
  const collection = s3Collection(deps.config, 'backups')
  await backUpDatabase(deps.clickhouse, { database, cluster, collection, location: record.location })
  // It locks and unlocks with an object of its own, whose versions would stay.
  await purgeOldVersions(deps.s3, 'backups', record.location)
  const objects = await listObjects(deps.s3, 'backups', record.location)
  return { database, bytes: objects.reduce((sum, one) => sum + one.bytes, 0) }
}

async function copyPostgres(
  deps: BackupDeps,
  record: BackupRecord,
  url: string,
): Promise<Omit<BackupRecord['detail'], 'complete'>> {
  const database = databaseOf(url)
  return withSession(url, async (client) => {
    const { system, timeline } = await readWalState(client)
    // Before the start: what the copy needs of the log must not be removed before it is shipped.
    await ensureSlot(client, slotName(await slotOwner(deps, database, system)))
    const writer = createPartsWriter(deps.s3, 'backups', record.location)
    const base = await takeBaseBackup(client, database, (bytes) => writer.write(bytes))
    return { database, system, timeline, ...base, ...(await writer.end()) }
  })
}

/** Two databases on one server share one log, and with it one slot: that of the platform's own database. */
async function slotOwner(deps: BackupDeps, database: string, system: string): Promise<string> {
  const { url } = deps.config.postgres
  const own = await withSession(url, readWalState)
  return own.system === system ? databaseOf(url) : database
}
