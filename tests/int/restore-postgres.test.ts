import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { BackupDeps } from '../../activities/backup-deps.ts'
import { createJournalSealer } from '../../activities/journal-sealer.ts'
import { eraseFromRestored, restorePostgres } from '../../activities/restore-postgres.ts'
import { shipWal } from '../../activities/ship-wal.ts'
import { takeBackup } from '../../activities/take-backup.ts'
import { createClickHouse } from '../../clickhouse/client.ts'
import { createPostgres } from '../../postgres/client.ts'
import { openKeyProvider } from '../../postgres/open-key-provider.ts'
import { createS3 } from '../../s3/client.ts'
import { type JournalEntry, type JournalSealer, readJournal, writeJournalEntry } from '../../s3/journal.ts'
import { choosePostgresPlace } from '../../services/postgres-place.ts'
import { reservePorts } from '../../services/reserve-port.ts'
import { createTemporaryHome } from '../../services/temporary-home.ts'
import { createStage, type Stage } from '../stage.ts'

vi.setConfig({ testTimeout: 240_000 })

let stage: Stage
let deps: BackupDeps
let sealer: JournalSealer
let home: string
let server: ChildProcess | undefined
const ports = reservePorts('free')
beforeEach(async () => {
  stage = await createStage()
  home = await createTemporaryHome('ebb-test-')
  const { config } = stage
  deps = {
    clickhouse: createClickHouse(config),
    postgres: createPostgres(config.postgres.url),
    s3: createS3(config),
    config,
    now: Date.now,
  }
  sealer = createJournalSealer(await openKeyProvider(config))
})
afterEach(async () => {
  if (server?.exitCode === null) {
    const ended = once(server, 'close')
    server.kill('SIGINT')
    await ended
  }
  deps?.s3.close()
  await Promise.all([deps?.clickhouse.close(), deps?.postgres.close()])
  await Promise.all([stage?.close(), ports.release(), rm(home, { recursive: true, force: true })])
})

async function addSubject(): Promise<{ subjectId: string; handle: Buffer }> {
  const made = { subjectId: randomUUID(), handle: randomBytes(32) }
  await deps.postgres.query(
    'made_subject',
    `INSERT INTO subjects (handle, app, subject_id) VALUES ($1, 'shop', $2)`,
    [made.handle, made.subjectId],
  )
  await deps.postgres.query(
    'made_contact',
    `INSERT INTO contacts (subject_id, field, contact_hash) VALUES ($1, 'email', $2)`,
    [made.subjectId, randomBytes(32)],
  )
  return made
}

function entry(subjects: { subjectId: string; handle: Buffer }[]): JournalEntry {
  return {
    version: 1,
    requestId: randomUUID(),
    app: 'shop',
    tokens: subjects.map(() => randomBytes(16).toString('hex')),
    handles: subjects.map((one) => one.handle.toString('hex')),
    subjectIds: subjects.map((one) => one.subjectId),
    writtenAtMs: Date.now(),
  }
}

/** Starts a server on a restored folder and waits until it has replayed its log. @returns the URL of the stage's database */
async function start(folder: string): Promise<string> {
  const place = await choosePostgresPlace({
    home,
    environment: process.env,
    ports,
    report: () => {},
    signal: new AbortController().signal,
  })
  if (place.user) execFileSync('chown', ['-R', `${place.user.uid}:${place.user.gid}`, folder])
  const port = await ports.take(0)
  server = spawn(place.postgres, ['-D', folder, '-p', String(port), '-c', 'unix_socket_directories='], {
    env: place.environment as NodeJS.ProcessEnv,
    cwd: folder,
    stdio: 'ignore',
    ...(place.user && place.user),
  })
  const url = `postgres://ebb@127.0.0.1:${port}/${stage.config.clickhouse.database}`
  for (let tries = 0; tries < 300; tries++) {
    if (server.exitCode !== null) throw new Error(`Postgres ended with ${server.exitCode}`)
    const client = new Client({ connectionString: url })
    client.on('error', () => {})
    try {
      await client.connect()
      const { rows } = await client.query<{ recovering: boolean }>('SELECT pg_is_in_recovery() AS recovering')
      if (rows[0]?.recovering === false) return url
    } catch {
      // Not yet.
    } finally {
      await client.end().catch(() => {})
    }
    await sleep(200)
  }
  throw new Error('Postgres does not come up')
}

test('a restored Postgres has what was written after its base backup, and nobody who was erased', async () => {
  const [erased, bystander] = [await addSubject(), await addSubject()]
  await takeBackup(deps, { backupId: randomUUID(), kind: 'postgres' })
  const [erasedLater, late] = [await addSubject(), await addSubject()]
  await shipWal(deps)
  await writeJournalEntry(deps.s3, sealer, entry([erased]))
  // The journal knows this one by the handle alone.
  await writeJournalEntry(deps.s3, sealer, { ...entry([erasedLater]), subjectIds: [] })

  const folder = join(home, 'restored')
  const { segments } = await restorePostgres({ s3: deps.s3, sealer }, { folder, kind: 'postgres' })
  expect(segments).toBeGreaterThan(0)
  const url = await start(folder)
  const restored = createPostgres(url, { timeoutMs: 60_000 })
  const ids = async (table = 'subjects') => {
    const rows = await restored.query<{ subject_id: string }>(table, `SELECT subject_id FROM ${table}`, [])
    return rows.map((row) => row.subject_id).sort()
  }
  const all = [erased, bystander, erasedLater, late].map((one) => one.subjectId)
  expect(await ids()).toEqual([...all].sort())
  // Who returned after the erasure is another subject under the same handle: here one whose handle the journal has later.
  await restored.query(
    'returned',
    'UPDATE subjects SET created_at = now() + interval $$1 hour$$ WHERE subject_id = $1',
    [late.subjectId],
  )
  const journal = [...(await readJournal(deps.s3, sealer)), { ...entry([late]), subjectIds: [] }]
  expect(await eraseFromRestored(url, journal)).toMatchObject({ erasures: 3, rows: 4 })
  expect(await ids()).toEqual([bystander.subjectId, late.subjectId].sort())
  expect(await ids('contacts')).toEqual(await ids())
  // A copy from before there were contacts has none to erase.
  await restored.query('older', 'DROP TABLE contacts', [])
  expect(await eraseFromRestored(url, [entry([bystander])])).toEqual({ erasures: 1, rows: 1 })
  expect(await ids()).toEqual([late.subjectId])
  // It is a server to go on with, not only one to read.
  await restored.query('write', `INSERT INTO apps (app, write_key_sha256) VALUES ('after', $1)`, [
    randomBytes(32),
  ])
  await restored.close()
})

test('a folder that holds something is not written into, and a bucket without a base backup is told', async () => {
  const wish = { folder: home, kind: 'postgres' } as const
  await expect(restorePostgres({ s3: deps.s3, sealer }, wish)).rejects.toMatchObject({
    code: 'backup_unknown',
  })
  await takeBackup(deps, { backupId: randomUUID(), kind: 'postgres' })
  await shipWal(deps)
  await rm(join(home, 'x'), { force: true })
  execFileSync('touch', [join(home, 'x')])
  await expect(restorePostgres({ s3: deps.s3, sealer }, wish)).rejects.toMatchObject({
    code: 'folder_in_use',
  })
})
