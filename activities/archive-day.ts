import { countArchived, readRawDay, writeArchiveDay } from '../clickhouse/archive-files.ts'
import type { ClickHouseClient } from '../clickhouse/client.ts'
import { withAdvisoryLock } from '../postgres/advisory-lock.ts'
import type { Postgres } from '../postgres/client.ts'
import { EbbError } from '../runtime/errors.ts'
import type { S3 } from '../s3/client.ts'
import { listVersions } from '../s3/list-versions.ts'
import { purgeObject, purgeOldVersions } from '../s3/purge.ts'
import { type ArchiveActivities, archiveKey } from '../schemas/archive.ts'
import { beatWhile } from './beat-while.ts'

/** Whoever writes into the archive holds it: an archived day and an erasure never cross. */
export const ARCHIVE_LOCK = 'ebb archive'

export interface ArchiveDeps {
  clickhouse: ClickHouseClient
  s3: S3
  postgres: Postgres
  /** For the lock, which needs a connection of its own. */
  postgresUrl: string
  /** ClickHouse's name for the archive's bucket and keys. */
  collection: string
}

export function createArchiveDay(deps: ArchiveDeps): ArchiveActivities['archiveDay'] {
  return ({ day }) => beatWhile(() => archiveDay(deps, day))
}

/**
 * Writes one day's files and takes away what an earlier run left of it: a repeat replaces. While a batch of erasures is under
 * way nothing is written: `events_raw` may still hold rows that the archive has just lost.
 * @throws EbbError `archive_busy` (a batch is under way), `archive_incomplete` (the files do not hold what raw holds),
 *   `lock_lost`: try again
 */
export async function archiveDay(
  deps: ArchiveDeps,
  day: string,
): Promise<{ day: string; rows: number; files: number }> {
  const { clickhouse, s3, collection } = deps
  return withAdvisoryLock(deps.postgresUrl, ARCHIVE_LOCK, async (requireHeld) => {
    await refuseWhileErasing(deps.postgres)
    const prefix = `day=${day}/`
    const before = new Set((await listVersions(s3, 'archive', prefix)).map((one) => one.versionId))
    const rawBefore = await readRawDay(clickhouse, day)
    await writeArchiveDay(clickhouse, collection, day, rawBefore.buckets)
    // Buckets that had rows at an earlier run and have none any more.
    const written = (await listVersions(s3, 'archive', prefix)).filter((one) => one.isLatest)
    for (const stale of written.filter((one) => before.has(one.versionId))) {
      await purgeObject(s3, 'archive', stale.key)
    }
    await purgeOldVersions(s3, 'archive', prefix)
    const rows = await countArchived(clickhouse, collection, archiveKey(day, '*'))
    const rawAfter = await readRawDay(clickhouse, day)
    // Late events may come in meanwhile.
    if (rows < rawBefore.rows || rows > rawAfter.rows) {
      throw new EbbError('archive_incomplete', `the archive of ${day} has ${rows} rows, raw ${rawAfter.rows}`)
    }
    await requireHeld()
    return { day, rows, files: written.filter((one) => !before.has(one.versionId)).length }
  })
}

async function refuseWhileErasing(postgres: Postgres): Promise<void> {
  const open = await postgres.query(
    'open_erase_batch',
    `SELECT 1 FROM erasure_queue WHERE stage = 'erase' AND batch_id IS NOT NULL AND done_at IS NULL LIMIT 1`,
    [],
  )
  if (open.length > 0) throw new EbbError('archive_busy', 'a batch of erasures is under way')
}
