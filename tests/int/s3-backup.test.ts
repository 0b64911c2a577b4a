import { randomUUID } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { BackupDeps } from '../../activities/backup-deps.ts'
import { expireBackups } from '../../activities/expire-backups.ts'
import { shipWal } from '../../activities/ship-wal.ts'
import { takeBackup } from '../../activities/take-backup.ts'
import { restoreDatabase } from '../../clickhouse/back-up.ts'
import { createClickHouse } from '../../clickhouse/client.ts'
import { s3Collection } from '../../clickhouse/s3-collections.ts'
import { createApp } from '../../postgres/apps.ts'
import { listStoredBackups, recordBackup } from '../../postgres/backups.ts'
import { createPostgres } from '../../postgres/client.ts'
import { listBackupHorizons } from '../../postgres/list-backup-horizons.ts'
import { slotName } from '../../postgres/wal-slot.ts'
import { databaseOf } from '../../postgres/with-session.ts'
import { readCatalog } from '../../s3/backup-catalog.ts'
import { createS3 } from '../../s3/client.ts'
import { getObject } from '../../s3/get-object.ts'
import { listObjects } from '../../s3/list-objects.ts'
import { listVersions } from '../../s3/list-versions.ts'
import { purgePrefix } from '../../s3/purge.ts'
import { createStage, type Stage } from '../stage.ts'
import { ask, insertRows, mixedRows } from './clickhouse-rows.ts'

let stage: Stage
let deps: BackupDeps
let now: number
beforeAll(async () => {
  stage = await createStage({
    environment: { EBB_BACKUP_RETENTION_S: '3600', EBB_KEYRING_BACKUP_RETENTION_S: '60' },
  })
  deps = {
    clickhouse: createClickHouse(stage.config),
    postgres: createPostgres(stage.config.postgres.url),
    s3: createS3(stage.config),
    config: stage.config,
    now: () => now,
  }
}, 300_000)
/** No backup, and no log that the server keeps for one. */
beforeEach(async () => {
  now = Date.now()
  await purgePrefix(deps.s3, 'backups', '')
  await deps.postgres.query('empty_backups', 'DELETE FROM backups', [])
  const { url, keyringUrl } = stage.config.postgres
  await deps.postgres.query(
    'drop_slots',
    'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ANY($1::text[])',
    [[url, keyringUrl].map((one) => slotName(databaseOf(one)))],
  )
})
afterAll(async () => {
  deps?.s3.close()
  await Promise.all([deps?.clickhouse.close(), deps?.postgres.close()])
  await stage?.close()
})

/** The tar archive of a Postgres backup, as name and content of each file. */
async function unpack(location: string): Promise<Map<string, Buffer>> {
  const parts = await listObjects(deps.s3, 'backups', location)
  const packed = await Promise.all(parts.map((part) => getObject(deps.s3, 'backups', part.key)))
  const tar = gunzipSync(Buffer.concat(packed.map((part) => part ?? Buffer.alloc(0))))
  const files = new Map<string, Buffer>()
  for (let at = 0; tar[at] !== 0; ) {
    const name = tar
      .subarray(at, at + 100)
      .toString()
      .replace(/\0.*$/, '')
    const bytes = Number.parseInt(tar.subarray(at + 124, at + 135).toString(), 8)
    files.set(name, tar.subarray(at + 512, at + 512 + bytes))
    at += 512 + Math.ceil(bytes / 512) * 512
  }
  return files
}

test('a backup of ClickHouse holds the database, and no statement that the server keeps holds the keys', async () => {
  await insertRows(deps.clickhouse, mixedRows(500, Date.parse('2026-10-05T00:00:00Z')), 'a/0/1')
  const backupId = randomUUID()
  const { bytes } = await takeBackup(deps, { backupId, kind: 'clickhouse' })
  expect(bytes).toBeGreaterThan(10_000)
  const as = `${stage.config.clickhouse.database}_again`
  await restoreDatabase(deps.clickhouse, {
    ...stage.config.clickhouse,
    collection: s3Collection(stage.config, 'backups'),
    location: `clickhouse/${backupId}/`,
    as,
  })
  expect(await ask(deps.clickhouse, `SELECT count() AS rows FROM ${as}.events_raw`)).toEqual([{ rows: 500 }])
  await deps.clickhouse.command({ query: `DROP DATABASE ${as} SYNC` })
  const kept = await ask<{ text: string }>(
    deps.clickhouse,
    'SELECT toString(tuple(*)) AS text FROM system.backups',
  )
  const collections = await ask<{ text: string }>(
    deps.clickhouse,
    'SELECT toString(collection) AS text FROM system.named_collections',
  )
  expect(kept.length * collections.length).toBeGreaterThan(0)
  for (const { text } of [...kept, ...collections]) expect(text).not.toContain(stage.config.s3.secretKey)
})

test('a repeat of a backup that was cut short begins anew in its place', async () => {
  const backupId = randomUUID()
  await takeBackup(deps, { backupId, kind: 'clickhouse' })
  await takeBackup(deps, { backupId, kind: 'clickhouse' })
  expect(
    (await listVersions(deps.s3, 'backups', `clickhouse/${backupId}/`)).every((one) => one.isLatest),
  ).toBe(true)
  expect((await readCatalog(deps.s3)).length).toBe(1)
})

test('a backup is on record before its first byte: one that fails expires all the same', async () => {
  const broken = {
    ...deps,
    clickhouse: createClickHouse({ clickhouse: { ...stage.config.clickhouse, url: 'http://127.0.0.1:9' } }),
  }
  await expect(takeBackup(broken, { backupId: randomUUID(), kind: 'clickhouse' })).rejects.toThrow()
  await broken.clickhouse.close()
  expect(await listStoredBackups(deps.postgres)).toMatchObject([
    { kind: 'clickhouse', detail: { complete: false } },
  ])
  now += 3_600_001
  expect(await expireBackups(deps)).toEqual({ expired: 1 })
  expect(await listVersions(deps.s3, 'backups', '')).toEqual([])
})

test('a base backup has the server’s files, of our databases only, and the log from its start to its end', async () => {
  await createApp(deps.postgres, { app: 'shop' })
  const backupId = randomUUID()
  await takeBackup(deps, { backupId, kind: 'postgres' })
  await shipWal(deps)
  const files = await unpack(`postgres/${backupId}/`)
  const [own] = await deps.postgres.query<{ oid: string; path: string }>(
    'own_files',
    `SELECT oid::text, pg_relation_filepath('apps') AS path FROM pg_database WHERE datname = current_database()`,
    [],
  )
  const [keyring] = await deps.postgres.query<{ oid: string }>(
    'keyring_oid',
    'SELECT oid::text FROM pg_database WHERE datname = $1',
    [`${stage.config.clickhouse.database}_keyring`],
  )
  expect(files.get('PG_VERSION')?.toString()).toMatch(/^\d+\n$/)
  expect([...files.keys()].filter((name) => name !== 'backup_label' && !name.endsWith('/')).at(-1)).toBe(
    'global/pg_control',
  )
  expect(files.get('backup_label')?.toString()).toContain('START WAL LOCATION')
  expect([...files.keys()].some((name) => name.startsWith(`base/${own!.oid}/`))).toBe(true)
  expect([...files.keys()].some((name) => name.startsWith(`base/${keyring!.oid}/`))).toBe(false)
  expect(files.has(own!.path)).toBe(true)
  const records = await readCatalog(deps.s3)
  const base = records.find((one) => one.kind === 'postgres')!
  const segments = records.filter((one) => one.kind === 'wal').flatMap((one) => one.detail.segments ?? [])
  const needed = /file ([0-9A-F]{24})/.exec(files.get('backup_label')!.toString())![1]!
  expect(segments).toContain(needed)
  const segment = await getObject(deps.s3, 'backups', `wal/postgres/${base.detail.system}/${needed}.gz`)
  expect(gunzipSync(segment!).length).toBe(16 << 20)
})

test('the log is shipped without a gap, and nothing is kept on the server for it before the first base backup', async () => {
  expect(await shipWal(deps)).toEqual({ segments: 0 })
  await takeBackup(deps, { backupId: randomUUID(), kind: 'postgres' })
  const names: string[] = []
  for (let round = 0; round < 3; round++) {
    await createApp(deps.postgres, { app: `app${round}` })
    await shipWal(deps)
  }
  for (const one of await readCatalog(deps.s3)) names.push(...(one.detail.segments ?? []))
  const numbers = [...new Set(names)].map((name) => Number.parseInt(name.slice(16), 16)).sort((a, b) => a - b)
  expect(numbers.length).toBeGreaterThanOrEqual(3)
  for (const [at, number] of numbers.entries()) expect(number).toBe(numbers[0]! + at)
})

test('expiry purges a backup with its catalog when its time is over, the keyring’s sooner, and leaves the others', async () => {
  for (const kind of ['clickhouse', 'postgres', 'keyring'] as const) {
    await takeBackup(deps, { backupId: randomUUID(), kind })
  }
  await shipWal(deps)
  expect(await expireBackups(deps)).toEqual({ expired: 0 })
  now += 61_000
  expect(await expireBackups(deps)).toEqual({ expired: 1 })
  expect((await listStoredBackups(deps.postgres)).map((one) => one.kind).sort()).toEqual([
    'clickhouse',
    'postgres',
    'wal',
  ])
  expect(await listVersions(deps.s3, 'backups', 'keyring/')).toEqual([])
  now += 3_600_000
  // The table knows less than the bucket, as after a restore: nothing is forgotten for that.
  await deps.postgres.query('forget', `DELETE FROM backups WHERE kind = 'clickhouse'`, [])
  expect(await expireBackups(deps)).toEqual({ expired: 3 })
  expect(await listVersions(deps.s3, 'backups', '')).toEqual([])
  expect(await listStoredBackups(deps.postgres)).toEqual([])
})

test('horizons name the last expiry of each kind, and of the log that is yet to be copied', async () => {
  expect(await listBackupHorizons(deps.postgres, 3_600_000, now)).toEqual([])
  const record = (kind: 'clickhouse' | 'postgres', expiresAtMs: number) =>
    recordBackup(deps.postgres, {
      backupId: randomUUID(),
      kind,
      location: `${kind}/x/`,
      takenAtMs: now - 1_000,
      expiresAtMs,
      detail: { complete: false },
    })
  await record('clickhouse', now + 10)
  await record('clickhouse', now + 20)
  await record('postgres', now + 5)
  const horizons = await listBackupHorizons(deps.postgres, 3_600_000, now)
  expect(horizons.map((one) => one.expiresByMs - now)).toEqual(expect.arrayContaining([20, 5, 7_200_000]))
  expect(horizons.every((one) => one.store === 's3/backups')).toBe(true)
})
