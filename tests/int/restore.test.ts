import { randomBytes, randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { BackupDeps } from '../../activities/backup-deps.ts'
import { createJournalSealer } from '../../activities/journal-sealer.ts'
import { type RestoreDeps, restoreClickHouse } from '../../activities/restore-clickhouse.ts'
import { takeBackup } from '../../activities/take-backup.ts'
import { createClickHouse } from '../../clickhouse/client.ts'
import { eraseSubjects } from '../../clickhouse/erase-subjects.ts'
import { rederiveAggregates } from '../../clickhouse/rederive-aggregates.ts'
import { createPostgres } from '../../postgres/client.ts'
import { openKeyProvider } from '../../postgres/open-key-provider.ts'
import { createS3 } from '../../s3/client.ts'
import { purgeJournalEntry, writeJournalEntry } from '../../s3/journal.ts'
import { purgePrefix } from '../../s3/purge.ts'
import { createLogWriter, type LogWriter, type StatementBody } from '../../workers/verifier/log-writer.ts'
import { startClickHouseProxy } from '../clickhouse-proxy.ts'
import { createStage, type Stage } from '../stage.ts'
import { ask, DAY_MS, insertRows, mixedRows, person, recount } from './clickhouse-rows.ts'

const DAY = '2026-10-05'
const START = Date.parse(`${DAY}T00:00:00Z`)
const LIVE = `SELECT app, event, currency, sum(events) AS events, uniqMerge(users) AS users FROM metrics_streaming_daily
  GROUP BY ALL ORDER BY ALL`
const RAW = `SELECT app, event, currency, count() AS events, uniq(subject) AS users FROM events_raw GROUP BY ALL ORDER BY ALL`

vi.setConfig({ testTimeout: 420_000 })

let stage: Stage
let backups: BackupDeps
let deps: RestoreDeps
let log: LogWriter
let members: number
/** Tests so far: an insert's token is never one of an earlier test. */
let run = 0
beforeAll(async () => {
  stage = await createStage()
  const { config } = stage
  backups = {
    clickhouse: createClickHouse(config),
    postgres: createPostgres(config.postgres.url),
    s3: createS3(config),
    config,
    now: Date.now,
  }
  deps = {
    config,
    s3: backups.s3,
    sealer: createJournalSealer(await openKeyProvider(config)),
    countIngestMembers: async () => members,
    report: () => {},
  }
}, 300_000)
/** No rows, no backup, no journal and no log. */
beforeEach(async () => {
  run += 1
  members = 0
  const { config } = stage
  for (const { name } of await ask<{ name: string }>(
    backups.clickhouse,
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'migrations'`,
  ))
    await backups.clickhouse.command({ query: `TRUNCATE TABLE ${name}` })
  for (const bucket of ['backups', 'journal', 'log'] as const) await purgePrefix(backups.s3, bucket, '')
  for (const table of ['backups', 'certificates', 'dirty_days'])
    await backups.postgres.query(`empty_${table}`, `DELETE FROM ${table}`, [])
  await rm(config.verifier.folder, { recursive: true, force: true })
  log = createLogWriter({
    postgres: backups.postgres,
    postgresUrl: config.postgres.url,
    s3: backups.s3,
    folder: config.verifier.folder,
    origin: config.log.origin,
    witnesses: [],
    now: Date.now,
  })
})
afterAll(async () => {
  backups?.s3.close()
  await Promise.all([backups?.clickhouse.close(), backups?.postgres.close()])
  await stage?.close()
})

const token = (name: number) => Buffer.from(person(name))
const hex = (name: number) => token(name).toString('hex')

/** Journal, deletion, recount: what the saga does with ClickHouse. @returns the request's id */
async function erase(...people: number[]): Promise<string> {
  const requestId = randomUUID()
  await writeJournalEntry(deps.s3, deps.sealer, {
    version: 1,
    requestId,
    app: 'shop',
    tokens: people.map(hex),
    handles: people.map(() => randomBytes(32).toString('hex')),
    subjectIds: people.map(() => randomUUID()),
    writtenAtMs: Date.now(),
  })
  await eraseSubjects(backups.clickhouse, randomUUID(), people.map(token))
  await rederiveAggregates({
    clickhouse: backups.clickhouse,
    withIngestHeld: (work) => work(() => Number.POSITIVE_INFINITY),
  })
  return requestId
}

/** Issues and logs a certificate of the request. @returns its digest */
async function certify(requestId: string, kind: 'certificate' | 'closed', previous: string | null = null) {
  const at = `${new Date().toISOString().slice(0, 19)}Z`
  const body: StatementBody = {
    kind,
    version: 1,
    origin: stage.config.log.origin,
    issuer: 'test',
    tool: 'ebb/test',
    issuedAt: at,
    previous,
    request: requestId,
    app: 'shop',
    subject: [{ label: 'email', commitment: randomBytes(32).toString('hex') }],
    dataMap: randomBytes(32).toString('hex'),
    receipts: [
      {
        store: 'clickhouse/events',
        outcome: 'erased',
        method: 'deleted',
        at,
        evidence: { hash: randomBytes(32).toString('hex'), ids: [] },
      },
    ],
    horizons: [],
  }
  const [appended] = await log.append([{ requestId: null, decide: () => body }])
  if (!appended || 'error' in appended) throw appended?.error
  return appended.logged.digest
}

async function subjects(): Promise<Set<string>> {
  const rows = await ask<{ subject: string }>(
    backups.clickhouse,
    'SELECT DISTINCT lower(hex(subject)) AS subject FROM (SELECT subject FROM events_raw UNION ALL SELECT subject FROM sessions)',
  )
  return new Set(rows.map((row) => row.subject))
}

test('a restore of an older backup brings back the bystanders and nobody who was erased since', async () => {
  await insertRows(backups.clickhouse, mixedRows(3_000, START), `a/${run}/1`)
  await recount(backups.clickhouse, DAY)
  const before = await ask(
    backups.clickhouse,
    `SELECT subject, count() AS rows FROM events_raw GROUP BY 1 ORDER BY 1`,
  )
  const backupId = randomUUID()
  await takeBackup(backups, { backupId, kind: 'clickhouse' })
  await certify(await erase(3, 8), 'certificate')
  await certify(await erase(12), 'certificate')
  // A mistake takes more than it should, and something is written that the restore does not know.
  await backups.clickhouse.command({ query: 'TRUNCATE TABLE events_raw' })
  await insertRows(backups.clickhouse, mixedRows(50, START + 40 * 86_400_000), `a/${run}/9`)

  const restored = await restoreClickHouse(deps, backupId)
  expect(restored).toMatchObject({ backupId, erasures: 2 })
  expect(restored.days).toBeGreaterThan(0)
  const held = await subjects()
  for (const name of [3, 8, 12]) expect(held.has(hex(name))).toBe(false)
  expect(held.size).toBe(47)
  const after = await ask(
    backups.clickhouse,
    `SELECT subject, count() AS rows FROM events_raw GROUP BY 1 ORDER BY 1`,
  )
  expect(after.length).toBe(before.length - 3)
  for (const row of after) expect(before).toContainEqual(row)
  expect(await ask(backups.clickhouse, LIVE)).toEqual(await ask(backups.clickhouse, RAW))
  const shown = `SELECT app, event, currency, events, users FROM ${stage.config.clickhouse.biDatabase}.daily WHERE day = '${DAY}' ORDER BY ALL`
  const counted = await ask<{ users: number }>(backups.clickhouse, RAW)
  expect(await ask(backups.clickhouse, shown)).toEqual(counted.filter((row) => row.users >= 5))
  // What was restored lives on: new rows are counted once, in every view.
  await insertRows(backups.clickhouse, mixedRows(300, START), `b/${run}/2`)
  expect(await ask(backups.clickhouse, LIVE)).toEqual(await ask(backups.clickhouse, RAW))
  const databases = await ask<{ name: string }>(backups.clickhouse, 'SELECT name FROM system.databases')
  expect(databases.map((one) => one.name)).not.toContain(`${stage.config.clickhouse.database}_restoring`)
})

test('a restore makes no users and grants nobody anything: its database holds people until it is over', async () => {
  await insertRows(backups.clickhouse, mixedRows(100, START), `a/${run}/1`)
  await takeBackup(backups, { backupId: randomUUID(), kind: 'clickhouse' })
  const { config } = stage
  const proxy = await startClickHouseProxy(config.clickhouse.url)
  const clickhouse = { ...config.clickhouse, url: proxy.url, biPassword: 'secret' }
  const verifier = { ...config.verifier, clickhouseUrl: 'http://ebb_verifier:secret@127.0.0.1:1' }
  try {
    await restoreClickHouse({ ...deps, config: { ...config, clickhouse, verifier } }, undefined)
  } finally {
    await proxy.close()
  }
  const text = proxy.seen.join('\n')
  expect(text).toMatch(/^RESTORE DATABASE /m)
  expect(text).not.toMatch(/\bsystem\.users\b|\b(GRANT|REVOKE|USER|ROLE|PROFILE|QUOTA)\b/)
})

test('what is due to expire is not restored: the server may take it before it has taken its place', async () => {
  const { config } = stage
  const proxy = await startClickHouseProxy(config.clickhouse.url)
  await backups.clickhouse.command({ query: 'SYSTEM STOP TTL MERGES metrics_minute' })
  try {
    await insertRows(
      backups.clickhouse,
      mixedRows(100, (Math.floor(Date.now() / DAY_MS) - 10) * DAY_MS),
      `a/${run}/1`,
    )
    await takeBackup(backups, { backupId: randomUUID(), kind: 'clickhouse' })
    expect(await ask(backups.clickhouse, 'SELECT count() > 0 AS held FROM metrics_minute')).toEqual([
      { held: 1 },
    ])
    const clickhouse = { ...config.clickhouse, url: proxy.url }
    await restoreClickHouse({ ...deps, config: { ...config, clickhouse } }, undefined)
  } finally {
    await proxy.close()
    await backups.clickhouse.command({ query: 'SYSTEM START TTL MERGES metrics_minute' })
  }
  const changes = proxy.seen.filter((statement) => statement.startsWith('ALTER TABLE metrics_minute '))
  expect(changes).toContainEqual(expect.stringContaining(' DROP PARTITION '))
  expect(changes.filter((statement) => statement.includes(' REPLACE PARTITION '))).toEqual([])
  expect(await ask(backups.clickhouse, LIVE)).toEqual(await ask(backups.clickhouse, RAW))
})

test('a journal that does not know an erasure of the log is refused, and the live tables stay as they were', async () => {
  await insertRows(backups.clickhouse, mixedRows(1_000, START), `a/${run}/1`)
  await takeBackup(backups, { backupId: randomUUID(), kind: 'clickhouse' })
  const requestId = await erase(5)
  const digest = await certify(requestId, 'certificate')
  await purgeJournalEntry(deps.s3, requestId)
  await expect(restoreClickHouse(deps, undefined)).rejects.toMatchObject({ code: 'journal_behind_log' })
  expect((await subjects()).has(hex(5))).toBe(false)
  // Once the erasure is closed no copy can hold the person, and the entry may be gone.
  await certify(requestId, 'closed', digest)
  await takeBackup(backups, { backupId: randomUUID(), kind: 'clickhouse' })
  expect(await restoreClickHouse(deps, undefined)).toMatchObject({ erasures: 0 })
  expect((await subjects()).has(hex(5))).toBe(false)
})

test('a log whose files were taken away is refused', async () => {
  await insertRows(backups.clickhouse, mixedRows(100, START), `a/${run}/1`)
  await takeBackup(backups, { backupId: randomUUID(), kind: 'clickhouse' })
  const digest = await certify(await erase(5), 'certificate')
  await purgePrefix(deps.s3, 'log', `certificates/${digest}.json`)
  await expect(restoreClickHouse(deps, undefined)).rejects.toMatchObject({ code: 'journal_behind_log' })
  await purgePrefix(deps.s3, 'log', 'tile/entries/')
  await expect(restoreClickHouse(deps, undefined)).rejects.toMatchObject({ code: 'log_unreadable' })
})

test('nothing is restored while ingest runs, nor from a backup that nobody knows', async () => {
  await insertRows(backups.clickhouse, mixedRows(100, START), `a/${run}/1`)
  await takeBackup(backups, { backupId: randomUUID(), kind: 'clickhouse' })
  members = 1
  await expect(restoreClickHouse(deps, undefined)).rejects.toMatchObject({ code: 'ingest_running' })
  await expect(restoreClickHouse(deps, randomUUID())).rejects.toMatchObject({ code: 'backup_unknown' })
})
