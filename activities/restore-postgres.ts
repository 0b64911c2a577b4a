import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { createPostgres } from '../postgres/client.ts'
import { countVaultRows, deleteVaultRows, presentTables, rewriteTables } from '../postgres/erase-vault.ts'
import { EbbError } from '../runtime/errors.ts'
import { readCatalog } from '../s3/backup-catalog.ts'
import type { S3 } from '../s3/client.ts'
import { getObject } from '../s3/get-object.ts'
import type { JournalEntry } from '../s3/journal.ts'
import { listObjects } from '../s3/list-objects.ts'
import type { BackupRecord } from '../schemas/backup.ts'
import { DATA_MAP } from '../schemas/data-map.ts'
import { vaultTables } from '../schemas/erasure-plan.ts'
import { type RestoreDeps, readCheckedJournal } from './restore-clickhouse.ts'

export type PostgresRestoreErrorCode = 'backup_unknown' | 'folder_in_use' | 'unpack_failed' | 'rows_remain'

export interface PostgresRestoreWish {
  /** Made with mode 0700; must be empty. */
  folder: string
  kind: 'postgres' | 'keyring'
  /** The last base backup before this moment, and its log up to it; milliseconds since 1970. */
  untilMs?: number
}

/**
 * Writes a base backup as a data folder, with the log that follows it, so that a server started on it recovers by itself. It
 * listens on loopback only until somebody changes that: erasures are still to be carried out again (`eraseFromRestored`).
 * @throws EbbError `backup_unknown`, `folder_in_use`, `unpack_failed`, and those of the journal's check
 */
export async function restorePostgres(
  deps: Pick<RestoreDeps, 's3' | 'sealer'>,
  wish: PostgresRestoreWish,
): Promise<{ takenAtMs: number; segments: number }> {
  // Refused before anything is written: who may not be brought back must be known.
  await readCheckedJournal(deps)
  const folder = resolve(wish.folder)
  const catalog = (await readCatalog(deps.s3)).filter((one) => one.detail.complete)
  const base = catalog.findLast(
    (one) => one.kind === wish.kind && one.takenAtMs <= (wish.untilMs ?? Number.POSITIVE_INFINITY),
  )
  if (!base) throw new EbbError('backup_unknown', `no complete backup of ${wish.kind} before that moment`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if ((await readdir(folder)).length > 0) throw new EbbError('folder_in_use', `${folder} is not empty`)
  await unpackBase(deps.s3, base, folder)
  const segments = await unpackLog(deps.s3, base, catalog, folder)
  await writeFile(join(folder, 'recovery.signal'), '')
  await appendFile(join(folder, 'postgresql.auto.conf'), recoverySettings(folder, wish.untilMs))
  return { takenAtMs: base.takenAtMs, segments }
}

function recoverySettings(folder: string, untilMs: number | undefined): string {
  const quote = (text: string) => `'${text.replaceAll("'", "''")}'`
  const lines = [
    `restore_command = ${quote(`cp "${join(folder, RESTORED_LOG)}/%f" "%p"`)}`,
    `listen_addresses = '127.0.0.1'`,
    // Other databases of the server are not in the copy; the log speaks of their files too.
    'ignore_invalid_pages = on',
    `recovery_target_action = 'promote'`,
    ...(untilMs === undefined ? [] : [`recovery_target_time = ${quote(new Date(untilMs).toISOString())}`]),
  ]
  return `${lines.join('\n')}\n`
}

/** Segments lie in the data folder, so that the server may read them, under a name that it does not know. */
const RESTORED_LOG = 'ebb_restored_log'

async function unpackBase(s3: S3, base: BackupRecord, folder: string): Promise<void> {
  const parts = await listObjects(s3, 'backups', base.location)
  const tar = spawn('tar', ['-xzf', '-', '-C', folder], { stdio: ['pipe', 'ignore', 'ignore'] })
  const ended = once(tar, 'close')
  const bytes = async function* () {
    for (const { key } of parts) yield (await getObject(s3, 'backups', key)) ?? Buffer.alloc(0)
  }
  await pipeline(Readable.from(bytes()), tar.stdin).catch(() => {})
  const [code] = (await ended) as [number | null]
  if (code !== 0) throw new EbbError('unpack_failed', `tar ended with ${code}: the backup is not whole`)
}

const expand = promisify(gunzip)

/** All copied segments of the server's log from the base backup's on. */
async function unpackLog(
  s3: S3,
  base: BackupRecord,
  catalog: readonly BackupRecord[],
  folder: string,
): Promise<number> {
  const to = join(folder, RESTORED_LOG)
  await mkdir(to, { mode: 0o700 })
  const { system } = base.detail
  const logs = catalog.filter((one) => one.kind === 'wal' && one.detail.system === system)
  // A record that was copied before the base backup began ends before it.
  const needed = logs.filter((one) => (one.detail.shippedAtMs ?? 0) >= base.takenAtMs)
  const keys = new Set(
    needed.flatMap((one) => (one.detail.segments ?? []).map((name) => `${one.location}${name}`)),
  )
  for (const key of keys) {
    const packed = await getObject(s3, 'backups', `${key}.gz`)
    if (!packed) throw new EbbError('unpack_failed', 'a segment of the log is not there')
    await writeFile(join(to, key.slice(key.lastIndexOf('/') + 1)), await expand(packed), { mode: 0o600 })
  }
  if (keys.size === 0) throw new EbbError('unpack_failed', 'no log was copied since that base backup')
  return keys.size
}

/**
 * Carries out again, in a restored database, every erasure of the journal: rows of its subjects in every table of the vault,
 * and those tables rewritten. Handles count as well as subject ids; a person who returned after the erasure is another subject
 * under the same handle, and stays.
 * @throws EbbError `rows_remain`, `postgres_unavailable`, `postgres_refused`
 */
export async function eraseFromRestored(
  url: string,
  journal: readonly JournalEntry[],
): Promise<{ erasures: number; rows: number }> {
  const postgres = createPostgres(url, { connections: 1, timeoutMs: 30 * 60_000 })
  try {
    const handles = journal.flatMap(({ handles: own, writtenAtMs }) =>
      own.map((handle) => ({ handle, writtenAtMs })),
    )
    const found = await postgres.query<{ subject_id: string }>(
      'restored_subjects',
      `SELECT subject_id FROM subjects JOIN unnest($1::bytea[], $2::timestamptz[]) AS erased (own, at)
         ON handle = own AND created_at <= at`,
      [handles.map((one) => Buffer.from(one.handle, 'hex')), handles.map((one) => new Date(one.writtenAtMs))],
    )
    const ids = [
      ...new Set([...journal.flatMap((entry) => entry.subjectIds), ...found.map((row) => row.subject_id)]),
    ]
    // A copy from before a migration has not all of them.
    const present = await presentTables(postgres)
    const tables = vaultTables(DATA_MAP).filter(({ table }) => present.has(table))
    let rows = 0
    for (const { table, columns } of tables) rows += await deleteVaultRows(postgres, table, columns, ids)
    await rewriteTables(
      postgres,
      tables.map(({ table }) => table),
      // Nobody else is there yet who would have to wait.
      Number.POSITIVE_INFINITY,
    )
    for (const { table, columns } of tables) {
      if ((await countVaultRows(postgres, table, columns, ids)) > 0) {
        throw new EbbError('rows_remain', `rows remain in ${table}`)
      }
    }
    return { erasures: journal.length, rows }
  } finally {
    await postgres.close()
  }
}
