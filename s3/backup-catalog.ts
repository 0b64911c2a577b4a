import { BackupRecord } from '../schemas/backup.ts'
import type { S3 } from './client.ts'
import { getObject } from './get-object.ts'
import { listObjects } from './list-objects.ts'
import { purgeObject, purgeOldVersions } from './purge.ts'
import { putObject } from './put-object.ts'

const keyOf = (backupId: string) => `catalog/${backupId}.json`

/** Keeps a record beside the backups: a restore after the loss of Postgres has no table to look into. */
export async function writeCatalogRecord(s3: S3, record: BackupRecord): Promise<void> {
  await putObject(s3, 'backups', keyOf(record.backupId), JSON.stringify(record), 'application/json')
  await purgeOldVersions(s3, 'backups', keyOf(record.backupId))
}

/** All records, oldest first. */
export async function readCatalog(s3: S3): Promise<BackupRecord[]> {
  const records: BackupRecord[] = []
  for (const { key } of await listObjects(s3, 'backups', 'catalog/')) {
    const bytes = await getObject(s3, 'backups', key)
    if (bytes) records.push(BackupRecord.parse(JSON.parse(bytes.toString('utf8'))))
  }
  return records.sort((a, b) => a.takenAtMs - b.takenAtMs)
}

export async function purgeCatalogRecord(s3: S3, backupId: string): Promise<void> {
  await purgeObject(s3, 'backups', keyOf(backupId))
}
