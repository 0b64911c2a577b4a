import { randomUUID } from 'node:crypto'
import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type ArchiveDeps, archiveDay } from '../../activities/archive-day.ts'
import { createArchiveEraser } from '../../activities/erase-archive.ts'
import { createExportsEraser } from '../../activities/erase-exports.ts'
import type { ErasureTarget, StoreEraser } from '../../activities/store-eraser.ts'
import { archiveFiles, rewriteFile, withTokens } from '../../clickhouse/archive-files.ts'
import { createClickHouse } from '../../clickhouse/client.ts'
import { s3Collection } from '../../clickhouse/s3-collections.ts'
import { createPostgres } from '../../postgres/client.ts'
import { createS3, type S3 } from '../../s3/client.ts'
import { exportPrefix } from '../../s3/exports.ts'
import { listObjects } from '../../s3/list-objects.ts'
import { listVersions } from '../../s3/list-versions.ts'
import { listUnfinishedUploads } from '../../s3/multipart-uploads.ts'
import { purgePrefix } from '../../s3/purge.ts'
import { putObject } from '../../s3/put-object.ts'
import { archiveBucket, archiveKey } from '../../schemas/archive.ts'
import { createStage, type Stage } from '../stage.ts'
import { ask, insertRows, mixedRows, person } from './clickhouse-rows.ts'

const DAY = '2026-10-05'
const START = Date.parse(`${DAY}T00:00:00Z`)

let stage: Stage
let s3: S3
let deps: ArchiveDeps
let eraser: StoreEraser
/** Tests so far: an insert's token is never one of an earlier test. */
let run = 0
beforeAll(async () => {
  stage = await createStage()
  s3 = createS3(stage.config)
  deps = {
    clickhouse: createClickHouse(stage.config),
    s3,
    postgres: createPostgres(stage.config.postgres.url),
    postgresUrl: stage.config.postgres.url,
    collection: s3Collection(stage.config, 'archive'),
  }
  eraser = createArchiveEraser({ ...deps, now: Date.now })
}, 300_000)
beforeEach(async () => {
  run += 1
  await deps.clickhouse.command({ query: 'TRUNCATE TABLE events_raw' })
  for (const bucket of ['archive', 'exports'] as const) await purgePrefix(s3, bucket, '')
})
afterAll(async () => {
  s3?.close()
  await Promise.all([deps?.clickhouse.close(), deps?.postgres.close()])
  await stage?.close()
})

const token = (name: number) => Buffer.from(person(name))

function target(...tokens: Buffer[]): ErasureTarget {
  return { requestId: randomUUID(), app: 'shop', tokens, subjectIds: [], handles: [] }
}

const batch = (...targets: ErasureTarget[]) => ({ batchId: randomUUID(), targets })

/** Rows of the archive by subject, in hex. */
async function archived(): Promise<Map<string, number>> {
  const rows = await ask<{ subject: string; rows: number }>(
    deps.clickhouse,
    `SELECT lower(hex(subject)) AS subject, count() AS rows
     FROM ${archiveFiles(deps.collection, archiveKey('*', '*'))} GROUP BY subject`,
  )
  return new Map(rows.map((row) => [row.subject, row.rows]))
}

test('a day in the archive has every event, with every column as raw has it, by bucket of its token', async () => {
  await insertRows(deps.clickhouse, mixedRows(4_000, START), `a/${run}/1`)
  await insertRows(deps.clickhouse, mixedRows(50, START + 86_400_000), `a/${run}/2`)
  const result = await archiveDay(deps, DAY)
  expect(result).toMatchObject({ day: DAY, rows: 4_000 })
  const checksum = (from: string, where = '1') =>
    ask(
      deps.clickhouse,
      `SELECT count() AS rows, sum(cityHash64(app, event, ts, received_at, subject, session, device, event_id, order_id, path,
         element, product, revenue, currency, props)) AS content FROM ${from} WHERE ${where}`,
    )
  const files = archiveFiles(deps.collection, archiveKey(DAY, '*'))
  expect(await checksum(files)).toEqual(await checksum('events_raw', `toDate(ts) = '${DAY}'`))
  const keys = (await listObjects(s3, 'archive', '')).map((one) => one.key)
  const buckets = new Set(Array.from({ length: 50 }, (_, name) => archiveBucket(person(name))))
  expect(keys).toEqual([...buckets].sort().map((bucket) => archiveKey(DAY, bucket)))
})

test('a day archived again is replaced, and no old version and no file without rows stays', async () => {
  await insertRows(deps.clickhouse, mixedRows(2_000, START), `a/${run}/1`)
  await archiveDay(deps, DAY)
  const gone = person(7)
  const others = Array.from({ length: 50 }, (_, name) => name).filter(
    (name) => name !== 7 && archiveBucket(person(name)) === archiveBucket(gone),
  )
  for (const subject of [gone, ...others.map(person)]) {
    await deps.clickhouse.command({
      query: `ALTER TABLE events_raw DELETE WHERE subject = unhex('${Buffer.from(subject).toString('hex')}')`,
      clickhouse_settings: { mutations_sync: '2' },
    })
  }
  await insertRows(deps.clickhouse, mixedRows(100, START + 3_600_000, 3), `a/${run}/2`)
  const { rows } = await archiveDay(deps, DAY)
  expect([...(await archived()).values()].reduce((sum, one) => sum + one, 0)).toBe(rows)
  expect((await listVersions(s3, 'archive', '')).every((one) => one.isLatest && !one.isDeleteMarker)).toBe(
    true,
  )
  expect(await listObjects(s3, 'archive', archiveKey(DAY, archiveBucket(gone)))).toEqual([])
})

test('an erasure takes a batch’s people out of every file, and every older version with them', async () => {
  for (const [at, day] of ['2026-10-05', '2026-10-06'].entries()) {
    await insertRows(deps.clickhouse, mixedRows(3_000, Date.parse(`${day}T00:00:00Z`)), `a/${run}/${at}`)
    await archiveDay(deps, day)
  }
  const before = await archived()
  const versions = await listVersions(s3, 'archive', '')
  const people = [token(3), token(8), token(9)]
  const receipt = await eraser.erase(batch(target(people[0]!, people[1]!), target(people[2]!)))
  expect(receipt).toMatchObject({ store: 's3/archive', outcome: 'erased', method: 'rewritten' })
  const after = await archived()
  const kept = [...before].filter(([subject]) => !people.some((one) => one.toString('hex') === subject))
  expect(before.size - kept.length).toBe(3)
  expect(new Map([...after].sort())).toEqual(new Map(kept.sort()))
  const now = await listVersions(s3, 'archive', '')
  expect(now.every((one) => one.isLatest)).toBe(true)
  // The files of other buckets were not touched, and the evidence names exactly what was purged.
  const purged = versions.filter((one) => !now.some((other) => other.versionId === one.versionId))
  expect(receipt.ids.length).toBeGreaterThan(0)
  for (const id of receipt.ids) expect(purged.map((one) => `${one.key}@${one.versionId}`)).toContain(id)
  const buckets = new Set(people.map(archiveBucket))
  for (const one of purged)
    expect([...buckets].some((bucket) => one.key.includes(`bucket=${bucket}/`))).toBe(true)
  expect(await eraser.erase(batch(target(...people)))).toMatchObject({ method: 'nothing-held', ids: [] })
})

test('a file that held only erased people goes', async () => {
  await insertRows(deps.clickhouse, mixedRows(200, START, 1), `a/${run}/1`)
  await archiveDay(deps, DAY)
  await eraser.erase(batch(target(token(0))))
  expect(await listVersions(s3, 'archive', '')).toEqual([])
})

test('a crash between rewriting and purging is mended by the repeat', async () => {
  await insertRows(deps.clickhouse, mixedRows(2_000, START), `a/${run}/1`)
  await archiveDay(deps, DAY)
  const one = token(5)
  // What a worker that died here leaves: a clean current version over one that holds the person, and an open upload.
  await withTokens(deps.clickhouse, [one], () =>
    rewriteFile(deps.clickhouse, deps.collection, archiveKey(DAY, archiveBucket(one)), 1),
  )
  await s3.call((client) =>
    client.send(
      new CreateMultipartUploadCommand({
        Bucket: s3.nameOf('archive'),
        Key: archiveKey(DAY, archiveBucket(one)),
      }),
    ),
  )
  expect((await listVersions(s3, 'archive', '')).some((version) => !version.isLatest)).toBe(true)
  const receipt = await eraser.erase(batch(target(one)))
  expect(receipt.method).toBe('rewritten')
  expect((await listVersions(s3, 'archive', '')).every((version) => version.isLatest)).toBe(true)
  expect(await listUnfinishedUploads(s3, 'archive', '')).toEqual([])
  expect((await archived()).has(one.toString('hex'))).toBe(false)
})

test('while a batch of erasures is under way no day is archived: raw may still hold what the archive has lost', async () => {
  await insertRows(deps.clickhouse, mixedRows(100, START), `a/${run}/1`)
  const requestId = randomUUID()
  await deps.postgres.query(
    'made_request',
    `INSERT INTO privacy_requests (request_id, app, kind, state, proof, requested_by, blinds, grace_until, due_at)
     VALUES ($1, 'shop', 'erasure', 'erasing', 'account-session', 'test', '{}', now(), now())`,
    [requestId],
  )
  const queue = (done: string) =>
    deps.postgres.query(
      'made_queue',
      `INSERT INTO erasure_queue (request_id, stage, batch_id, done_at) VALUES ($1, 'erase', $2, $3::timestamptz)
       ON CONFLICT (request_id, stage) DO UPDATE SET done_at = EXCLUDED.done_at`,
      [requestId, randomUUID(), done === '' ? null : done],
    )
  await queue('')
  await expect(archiveDay(deps, DAY)).rejects.toMatchObject({ code: 'archive_busy' })
  expect(await listVersions(s3, 'archive', '')).toEqual([])
  await queue('2026-11-01T00:00:00Z')
  expect((await archiveDay(deps, DAY)).rows).toBe(100)
})

test('tokens that a server lost are a failure, never an empty search', async () => {
  await insertRows(deps.clickhouse, mixedRows(100, START), `a/${run}/1`)
  await archiveDay(deps, DAY)
  await expect(
    withTokens(deps.clickhouse, [token(1)], async () => {
      await deps.clickhouse.command({ query: 'TRUNCATE TABLE archive_erasure' })
      await rewriteFile(deps.clickhouse, deps.collection, archiveKey(DAY, archiveBucket(token(1))), 1)
    }),
  ).rejects.toThrow(/tokens are gone/)
})

test('exports of erased people are purged, others stay, and one that is nobody’s by its name stops the erasure', async () => {
  const exports = createExportsEraser({ s3, now: Date.now })
  expect(await exports.erase(batch(target(token(1))))).toMatchObject({ method: 'nothing-held', ids: [] })
  await putObject(s3, 'exports', `${exportPrefix(token(1))}export.json`, 'one')
  await putObject(s3, 'exports', `${exportPrefix(token(1))}export.json`, 'two')
  await putObject(s3, 'exports', `${exportPrefix(token(2))}export.json`, 'other')
  const receipt = await exports.erase(batch(target(token(1))))
  expect(receipt).toMatchObject({ store: 's3/exports', method: 'deleted' })
  expect(receipt.ids.length).toBe(2)
  expect((await listVersions(s3, 'exports', '')).map((one) => one.key)).toEqual([
    `${exportPrefix(token(2))}export.json`,
  ])
  await putObject(s3, 'exports', 'list-for-legal.csv', 'who knows')
  await expect(exports.erase(batch(target(token(3))))).rejects.toMatchObject({ code: 'exports_unattributed' })
})
