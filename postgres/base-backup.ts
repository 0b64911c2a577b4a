import type pg from 'pg'
import { readServerFile } from './read-server-file.ts'
import { tarEntry } from './tar-entry.ts'

export interface BaseBackup {
  startLsn: string
  stopLsn: string
}

/** Folders that a server fills anew; they must be there, empty. */
const EMPTY = new Set(
  'pg_wal pg_replslot pg_dynshmem pg_notify pg_serial pg_snapshots pg_stat_tmp pg_subtrans'.split(' '),
)
/** Of the running server, or left by one that died. */
const LEFT_OUT =
  /^(postmaster\.(pid|opts)|pg_internal\.init.*|pgsql_tmp.*|backup_label.*|tablespace_map.*|t\d+_.*)$/

interface ServerFile {
  path: string
  bytes: number
  isFolder: boolean
}

/**
 * Copies a running server as `pg_basebackup` does: between start and stop, file by file, whatever changes meanwhile; the
 * log from `startLsn` to `stopLsn` makes it whole. Of the databases only `database` and the templates are in it. Over one
 * ordinary connection: a server elsewhere needs no setting and no tool of ours.
 *
 * @param write takes the tar archive's bytes in order.
 */
export async function takeBaseBackup(
  client: pg.Client,
  database: string,
  write: (bytes: Buffer) => Promise<void>,
): Promise<BaseBackup> {
  const started = await client.query<{ lsn: string }>(
    `SELECT pg_backup_start('ebb', fast => true)::text AS lsn`,
  )
  const files = await listFiles(client, await keptDatabases(client, database))
  // The control file last: it must not be older than anything before it.
  files.sort((a, b) => Number(isControl(a)) - Number(isControl(b)))
  for (const file of files) {
    await write(tarEntry(file.path, file.bytes, file.isFolder))
    for await (const chunk of readServerFile(client, file.path, file.bytes)) await write(chunk)
    await write(padding(file.bytes))
  }
  const stopped = await client.query<{ lsn: string; label: string }>(
    'SELECT lsn::text, labelfile AS label FROM pg_backup_stop(wait_for_archive => false)',
  )
  const label = Buffer.from(stopped.rows[0]!.label)
  await write(Buffer.concat([tarEntry('backup_label', label.length, false), label, padding(label.length)]))
  await write(Buffer.alloc(1024))
  return { startLsn: started.rows[0]!.lsn, stopLsn: stopped.rows[0]!.lsn }
}

const isControl = (file: ServerFile) => file.path === 'global/pg_control'

const padding = (bytes: number) => Buffer.alloc((512 - (bytes % 512)) % 512)

/** Folders below `base/` that are copied. */
async function keptDatabases(client: pg.Client, database: string): Promise<Set<string>> {
  const { rows } = await client.query<{ oid: string }>(
    `SELECT oid::text FROM pg_database WHERE datname IN ($1, 'postgres', 'template0', 'template1')`,
    [database],
  )
  return new Set(rows.map((row) => `base/${row.oid}`))
}

async function listFiles(client: pg.Client, kept: ReadonlySet<string>): Promise<ServerFile[]> {
  const files: ServerFile[] = []
  const folders = ['.']
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    const { rows } = await client.query<{ name: string; size: string | null; isdir: boolean | null }>(
      `SELECT name, (pg_stat_file($1 || '/' || name, true)).size, (pg_stat_file($1 || '/' || name, true)).isdir
       FROM pg_ls_dir($1, true, false) AS name ORDER BY name`,
      [folder],
    )
    for (const { name, size, isdir } of rows) {
      // Gone since the folder was read.
      if (size === null || LEFT_OUT.test(name)) continue
      const path = folder === '.' ? name : `${folder}/${name}`
      if (isdir && folder === 'base' && !kept.has(path)) continue
      files.push({ path, bytes: isdir ? 0 : Number(size), isFolder: isdir === true })
      if (isdir && !EMPTY.has(path)) folders.push(path)
    }
  }
  // Two that a server expects below an empty one.
  return [
    ...files,
    { path: 'pg_wal/archive_status', bytes: 0, isFolder: true },
    { path: 'pg_wal/summaries', bytes: 0, isFolder: true },
  ]
}
