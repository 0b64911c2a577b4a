import { randomUUID } from 'node:crypto'
import { restoreDatabase } from '../clickhouse/back-up.ts'
import { type ClickHouseClient, createClickHouse } from '../clickhouse/client.ts'
import { eraseSubjects } from '../clickhouse/erase-subjects.ts'
import { migrateTables } from '../clickhouse/migrate.ts'
import { rederiveAggregates } from '../clickhouse/rederive-aggregates.ts'
import { replaceTables } from '../clickhouse/replace-tables.ts'
import { republishDays } from '../clickhouse/republish-days.ts'
import { s3Collection } from '../clickhouse/s3-collections.ts'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import { readCatalog } from '../s3/backup-catalog.ts'
import type { S3 } from '../s3/client.ts'
import { type JournalEntry, type JournalSealer, readJournal } from '../s3/journal.ts'
import type { BackupRecord } from '../schemas/backup.ts'
import { checkJournal } from './check-journal.ts'

export type RestoreErrorCode = 'backup_unknown' | 'ingest_running' | 'rows_remain'

export interface RestoreDeps {
  config: Config
  s3: S3
  sealer: JournalSealer
  /** Members of the group that inserts; they must be stopped. */
  countIngestMembers(): Promise<number>
  report(line: string): void
}

export interface Restored {
  backupId: string
  takenAtMs: number
  /** Erasures of the journal that were carried out again. */
  erasures: number
  /** Days of apps whose aggregates were counted again. */
  days: number
  partitions: number
}

/** A database of a restore that is not over; nobody but its maker may read it. */
const stagingOf = (database: string) => `${database}_restoring`

/**
 * Brings ClickHouse back to a backup, without anyone who was erased since. Everything happens in a database of its own, which
 * no analyst and no writer knows: the copy is read in, brought to this version's schema, every erasure of the journal is
 * carried out again and the aggregates of its days are counted again; only then do its tables take the place of the live ones.
 * Cut short anywhere, it may be run again: live tables hold nothing but what was cleaned.
 *
 * Rows that came after the backup are not in it: ingest reads them again from Kafka when it is started (24 hours).
 * @throws EbbError `journal_behind_log`, `journal_unreadable`, `log_unreadable`, `backup_unknown`, `ingest_running`, `rows_remain`
 */
export async function restoreClickHouse(deps: RestoreDeps, backupId: string | undefined): Promise<Restored> {
  const { config, s3, report } = deps
  const backup = await findBackup(s3, backupId)
  const journal = await readCheckedJournal(deps)
  await refuseWhileIngesting(deps)
  report(
    `backup of ${new Date(backup.takenAtMs).toISOString()}; ${journal.length} erasures to carry out again`,
  )
  const staging = stagingOf(config.clickhouse.database)
  const restoring = { ...config.clickhouse, database: staging, biDatabase: `${staging}_views` }
  const live = createClickHouse(config, { requestTimeoutMs: 6 * 3_600_000 })
  const client = createClickHouse({ clickhouse: restoring }, { requestTimeoutMs: 6 * 3_600_000 })
  try {
    await dropStaging(live, restoring)
    await restoreDatabase(live, {
      database: backup.detail.database ?? config.clickhouse.database,
      cluster: config.clickhouse.cluster,
      collection: s3Collection(config, 'backups'),
      location: backup.location,
      as: staging,
    })
    faultPoint('restore.read')
    // No users: analysts and verifier are granted the live database, and this one to nobody.
    await migrateTables({ clickhouse: restoring })
    report('the copy is in; erasing again')
    const days = await eraseAgain(client, journal)
    await refuseWhileIngesting(deps)
    faultPoint('restore.cleaned')
    const partitions = await replaceTables(live, staging)
    // An erasure that ran meanwhile wrote its entry first: what it took from the live tables may just have come back.
    const known = new Set(journal.map((entry) => entry.requestId))
    const late = (await readCheckedJournal(deps)).filter((entry) => !known.has(entry.requestId))
    if (late.length > 0) await eraseAgain(live, late)
    await dropStaging(live, restoring)
    return {
      backupId: backup.backupId,
      takenAtMs: backup.takenAtMs,
      erasures: journal.length + late.length,
      days,
      partitions,
    }
  } finally {
    await Promise.all([live.close(), client.close()])
  }
}

async function findBackup(s3: S3, backupId: string | undefined): Promise<BackupRecord> {
  const usable = (await readCatalog(s3)).filter((one) => one.kind === 'clickhouse' && one.detail.complete)
  const found = backupId === undefined ? usable.at(-1) : usable.find((one) => one.backupId === backupId)
  if (!found) throw new EbbError('backup_unknown', 'no complete backup of ClickHouse of this id')
  return found
}

/** The journal, held against the log: what it does not know, a restore must not bring back. */
export async function readCheckedJournal(deps: Pick<RestoreDeps, 's3' | 'sealer'>): Promise<JournalEntry[]> {
  const journal = await readJournal(deps.s3, deps.sealer)
  await checkJournal(deps.s3, new Set(journal.map((entry) => entry.requestId)))
  return journal
}

async function refuseWhileIngesting(deps: RestoreDeps): Promise<void> {
  if ((await deps.countIngestMembers()) > 0) {
    throw new EbbError(
      'ingest_running',
      'stop ingest first: it inserts into the tables that are to be replaced',
    )
  }
}

/** @returns days of apps whose aggregates were counted again */
async function eraseAgain(client: ClickHouseClient, journal: readonly JournalEntry[]): Promise<number> {
  const tokens = [...new Set(journal.flatMap((entry) => entry.tokens))].map((token) =>
    Buffer.from(token, 'hex'),
  )
  if (tokens.length === 0) return 0
  const batch = `${randomUUID()}-restore`
  await eraseSubjects(client, batch, tokens)
  // Nothing inserts: ingest is stopped.
  const { days } = await rederiveAggregates({
    clickhouse: client,
    only: batch,
    withIngestHeld: (work) => work(() => Number.POSITIVE_INFINITY),
  })
  // What analysts are shown of these days speaks of the erased as well.
  await republishDays(client, [...new Set(days.map((one) => one.day))].sort())
  return days.length
}

async function dropStaging(
  client: ClickHouseClient,
  staging: { database: string; biDatabase: string },
): Promise<void> {
  for (const database of [staging.biDatabase, staging.database]) {
    await client.command({ query: `DROP DATABASE IF EXISTS ${database} SYNC` })
  }
}
