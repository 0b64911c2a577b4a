import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { S3 } from '../../s3/client.ts'
import { exportPrefix } from '../../s3/exports.ts'
import { listVersions, type ObjectVersion } from '../../s3/list-versions.ts'
import { listUnfinishedUploads } from '../../s3/multipart-uploads.ts'
import { ARCHIVE_STRUCTURE, archiveBucket, archiveKey } from '../../schemas/archive.ts'
import { type Findings, namesOf, type Sought, waitForEach } from './findings.ts'
import { ask } from './look-into-clickhouse.ts'

const ARCHIVE = 's3/archive'
const EXPORTS = 's3/exports'
const TOKENS_AT_ONCE = 250
/** Another batch may be replacing a file of the same bucket at the moment; one of many people on a busy machine took 38 s. */
const VERSIONS_MS = 45_000

export interface S3Look {
  s3: S3
  clickhouse: ClickHouseClient
  /** Name of ClickHouse's collection for the archive's bucket. */
  collection: string
  patienceMs?: number
}

/** Looks into the archive's files, and for versions and uploads that nobody sees any more. */
export async function lookIntoArchive(
  look: S3Look,
  sought: readonly Sought[],
  findings: Findings,
): Promise<void> {
  await lookIntoFiles(look, sought, findings)
  await lookForOldVersions(look, sought, findings)
}

/** One statement reads one column of every file of the buckets concerned. */
async function lookIntoFiles(look: S3Look, sought: readonly Sought[], findings: Findings): Promise<void> {
  const files = await listVersions(look.s3, 'archive', 'day=')
  if (files.length === 0) return
  const tokens = namesOf(sought, 'tokens').sort()
  for (let at = 0; at < tokens.length; at += TOKENS_AT_ONCE) {
    const some = tokens.slice(at, at + TOKENS_AT_ONCE)
    const buckets = [...new Set(some.map(bucketOf))].filter((bucket) => files.some(isOf(bucket)))
    if (buckets.length === 0) continue
    const glob = archiveKey('*', buckets.length === 1 ? buckets[0]! : `{${buckets.join(',')}}`)
    const rows = await ask<{ token: string; rows: string }>(
      look.clickhouse,
      `SELECT lower(hex(subject)) AS token, count() AS rows
       FROM s3(${look.collection}, filename = '${glob}', format = 'Parquet',
               structure = '${ARCHIVE_STRUCTURE.replaceAll("'", "\\'")}')
       WHERE subject IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {tokens:String}))), 16))
       GROUP BY token`,
      { tokens: some.join(',') },
      { use_hive_partitioning: 0 },
    )
    for (const row of rows) findings.addFor('tokens', row.token, ARCHIVE, Number(row.rows))
  }
}

/** A version that is covered by a newer one, a delete marker, or an upload that was never ended, in a bucket of the person's. */
async function lookForOldVersions(
  { s3, patienceMs = VERSIONS_MS }: S3Look,
  sought: readonly Sought[],
  findings: Findings,
): Promise<void> {
  const all = sought.map(({ requestId, tokens }) => ({
    requestId,
    own: new Set([...tokens].map(bucketOf)),
  }))
  const left = await waitForEach(all, Math.min(patienceMs, VERSIONS_MS), async (waiting) => {
    // Uploads first: one that is completed meanwhile is found as a version.
    const uploads = await listUnfinishedUploads(s3, 'archive', '')
    const versions = await listVersions(s3, 'archive', '')
    const old = [...versions.filter(isOutOfPlace), ...uploads]
    return new Map(waiting.map(({ requestId, own }) => [requestId, old.filter(isAnyonesOf(own)).length]))
  })
  for (const [requestId, count] of left) findings.add(requestId, ARCHIVE, count)
}

/** In one of these buckets; what is not where the archive's files are could be anyone's. */
function isAnyonesOf(own: ReadonlySet<string>): (one: { key: string }) => boolean {
  return ({ key }) => {
    const bucket = /^day=[^/]+\/bucket=(\d\d)\//.exec(key)?.[1]
    return bucket === undefined || own.has(bucket)
  }
}

const FILE = /^day=\d{4}-\d{2}-\d{2}\/bucket=\d\d\/events\.parquet$/

/** Where exports lie, said anew: see s3/exports.ts. */
const LAYOUT = /^person=[0-9a-f]{64}\//

function isOutOfPlace(one: ObjectVersion): boolean {
  return !one.isLatest || one.isDeleteMarker || !FILE.test(one.key)
}

/** Looks for files of exports, versions and uploads that nobody sees any more included. */
export async function lookIntoExports(
  { s3 }: S3Look,
  sought: readonly Sought[],
  findings: Findings,
): Promise<void> {
  const uploads = await listUnfinishedUploads(s3, 'exports', '')
  const versions = await listVersions(s3, 'exports', '')
  const keys = [...versions, ...uploads].map(({ key }) => key)
  if (keys.length === 0) return
  // What is not where exports lie could be anyone's.
  const strays = keys.filter((key) => !LAYOUT.test(key)).length
  if (strays > 0) for (const { requestId } of sought) findings.add(requestId, EXPORTS, strays)
  for (const token of namesOf(sought, 'tokens')) {
    const prefix = exportPrefix(Buffer.from(token, 'hex'))
    const left = keys.filter((key) => key.startsWith(prefix)).length
    if (left > 0) findings.addFor('tokens', token, EXPORTS, left)
  }
}

function bucketOf(token: string): string {
  if (!/^[0-9a-f]{32}$/.test(token)) throw new EbbError('store_unreadable', 'a token is not one')
  return archiveBucket(Buffer.from(token, 'hex'))
}

function isOf(bucket: string): (one: { key: string }) => boolean {
  return ({ key }) => key.includes(`/bucket=${bucket}/`)
}
