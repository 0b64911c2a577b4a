import { randomUUID } from 'node:crypto'
import { cp, mkdir, readdir, readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateMultipartUploadCommand, DeleteObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { Postgres } from '../../postgres/client.ts'
import type { S3 } from '../../s3/client.ts'
import { exportPrefix } from '../../s3/exports.ts'
import { putObject } from '../../s3/put-object.ts'
import type { DrillPerson } from './fields.ts'
import type { DrillPlatform } from './platform.ts'
import { sendBatches, waitForIngest } from './send-people.ts'
import type { SubjectBytes } from './subject-bytes.ts'

export interface ResidueContext {
  drill: DrillPlatform
  collectorUrl: string
  writeKey: string
  clickhouse: ClickHouseClient
  postgres: Postgres
  keyring: Postgres
  s3: S3
  /** Somebody who will be erased. */
  person: DrillPerson
  subject: SubjectBytes
}

/** A residue of schemas/data-map.ts: how the drill leaves one behind, and where a scan meets it. */
export interface ResidueCheck {
  engine: string
  /** How the data map's text begins. */
  residue: string
  place: RegExp
  /** Field of the canary, or `handle` and the like for bytes; undefined: any. */
  what?: RegExp
  /** The platform's settings let none arise, whatever is done: a scan must never meet it. */
  isPrevented?: true
  /** The erasure itself leaves it: to be met after the first certificates, not before. */
  isOfErasure?: true
  /** Goes by itself within seconds or minutes: left after all others, when nothing is written out any more. */
  isFleeting?: true
  /** @returns what ends it, when it is something under way */
  plant(context: ResidueContext): Promise<(() => Promise<void>) | undefined>
}

/** The engine or the platform leaves it by itself. */
const byItself = async () => undefined
/** Only the erasure will leave it. */
const later = byItself

export const RESIDUE_CHECKS: readonly ResidueCheck[] = [
  {
    engine: 'clickhouse',
    residue: 'mutation_*.txt',
    place: /^clickhouse events_raw \(mutation_N\.txt\)$/,
    what: /residue/,
    plant: deleteByHand,
  },
  {
    engine: 'clickhouse',
    residue: 'staging partitions',
    // Cells of fewer than five people are folded into others before they get there; its counts are held to raw.
    isPrevented: true,
    place: /^clickhouse \w+_batch_staging$/,
    plant: byItself,
  },
  { engine: 'clickhouse', residue: 'BACKUP files', place: /^s3 \S*backups$/, plant: byItself },
  {
    engine: 'clickhouse',
    residue: 'copies by BACKUP on the server’s own disks',
    isPrevented: true,
    place: /^clickhouse (?!spool$)(?!store$)[a-z-]*backups?/,
    plant: backUpByHand,
  },
  {
    engine: 'clickhouse',
    residue: 'spool of the development server',
    place: /^clickhouse spool$/,
    what: /residue/,
    plant: leaveBodyOnItsWay,
  },
  {
    engine: 'clickhouse',
    residue: 'inactive parts',
    place: /^clickhouse (events_raw|sessions)$/,
    plant: byItself,
  },
  { engine: 'clickhouse', residue: 'shadow/', place: /^clickhouse shadow|\(shadow\)$/, plant: freeze },
  { engine: 'clickhouse', residue: 'detached parts', place: /\(detached\)$/, plant: leaveDetachedPart },
  {
    engine: 'postgres',
    residue: 'dead tuples',
    place: /^postgres users_public$/,
    what: /residue/,
    plant: leaveDeadTuple,
  },
  {
    engine: 'postgres',
    residue: 'write-ahead log and its archive',
    isFleeting: true,
    // The log is shipped every two minutes and leaves the server's disk then.
    place: /^(postgres pg_wal|s3 \S*backups wal)$/,
    what: /residue/,
    plant: leaveDeadTuple,
  },
  {
    engine: 'postgres',
    residue: 'pg_statistic',
    isPrevented: true,
    place: /^postgres pg_statistic$/,
    what: /handle|subject/,
    plant: analyze,
  },
  {
    engine: 'postgres',
    residue: 'server log',
    isPrevented: true,
    place: /^(logs postgres|postgres (log|pg_log))/,
    plant: failAStatement,
  },
  {
    engine: 'temporal',
    residue: 'workflow histories',
    isPrevented: true,
    place: /^temporal/,
    plant: byItself,
  },
  { engine: 'ebb', residue: 'our own logs', isPrevented: true, place: /^(logs|tmp)/, plant: sendBroken },
  {
    engine: 'ebb',
    residue: 'reports/output:',
    isPrevented: true,
    place: /^reports (?!alerts)/,
    plant: byItself,
  },
  {
    engine: 'ebb',
    residue: 'reports/output/alerts',
    isPrevented: true,
    place: /^reports alerts/,
    plant: byItself,
  },
  {
    engine: 'kafka',
    residue: 'records under a newer one',
    isOfErasure: true,
    place: /^kafka (subject_states|revocations)/,
    what: /handle|token/,
    plant: later,
  },
  {
    engine: 's3',
    residue: 'versions and delete markers',
    place: /^s3 \S*exports \(versions\)$/,
    plant: leaveDeleteMarker,
  },
  {
    engine: 's3',
    residue: 'unfinished multipart',
    place: /^s3 \S*exports$/,
    what: /residue/,
    plant: leaveUpload,
  },
  {
    engine: 'kafka',
    residue: 'segments behind',
    isFleeting: true,
    place: /^kafka events/,
    plant: sendOnceMore,
  },
]

/** An operator who deletes somebody's page by its name. */
async function deleteByHand({ clickhouse, person }: ResidueContext): Promise<undefined> {
  await clickhouse.command({
    query: `ALTER TABLE events_raw DELETE WHERE path = '/${person.canary('residue')}/by-hand'`,
    clickhouse_settings: { mutations_sync: '2' },
  })
}

/** An operator who takes a backup without Ebb, which would know nothing of it. */
async function backUpByHand({ clickhouse }: ResidueContext): Promise<undefined> {
  for (const place of [`Disk('backups', 'by-hand')`, `Disk('default', 'by-hand')`, `File('by-hand')`]) {
    await clickhouse.command({ query: `BACKUP TABLE events_raw TO ${place}` }).catch(() => undefined)
  }
}

/** A client whose upload hangs: what it has sent waits for the rest, which never comes. */
async function leaveBodyOnItsWay({ drill, person }: ResidueContext): Promise<() => Promise<void>> {
  const url = new URL(drill.config.clickhouse.url)
  url.searchParams.set('database', drill.config.clickhouse.database)
  url.searchParams.set('query', 'INSERT INTO events_raw FORMAT JSONEachRow')
  const upload = request(url, { method: 'POST', headers: { 'x-clickhouse-user': 'default' } })
  upload.on('error', () => undefined)
  const text = person.canary('residue')
  upload.write(`{"app":"drill","path":"/${text}"`)
  const holds = async (path: string) => (await readFile(path, 'utf8').catch(() => '')).includes(text)
  const isThere = async () => {
    const bodies = (await readdir(drill.spool)).filter((name) => name.startsWith('body-'))
    return (await Promise.all(bodies.map((name) => holds(join(drill.spool, name))))).includes(true)
  }
  for (let tries = 0; tries < 100 && !(await isThere()); tries++) await sleep(200)
  return async () => {
    upload.destroy()
    for (let tries = 0; tries < 100 && (await isThere()); tries++) await sleep(200)
  }
}

async function freeze({ clickhouse }: ResidueContext): Promise<undefined> {
  await clickhouse.command({ query: `ALTER TABLE events_raw FREEZE WITH NAME 'drill'` })
}

/** What an operator does to bring back a frozen part: copies it to where ATTACH would take it from, and leaves it there. */
async function leaveDetachedPart({ drill: { home }, clickhouse }: ResidueContext): Promise<undefined> {
  const result = await clickhouse.query({
    query: `SELECT path FROM system.parts WHERE database = currentDatabase() AND table = 'events_raw' AND active`,
    format: 'JSONCompactEachRow',
  })
  for (const [path] of (await result.json()) as [string][]) {
    const part = path.startsWith('/') ? path : join(home, 'clickhouse', path)
    const detached = join(dirname(part), 'detached')
    await mkdir(detached, { recursive: true })
    await cp(part, join(detached, basename(part)), { recursive: true })
  }
}

async function leaveDeadTuple({ postgres, person, subject }: ResidueContext): Promise<undefined> {
  for (const note of [person.canary('residue'), 'something else']) {
    await postgres.query(
      'drill_dead_tuple',
      `UPDATE users_public SET traits = traits || jsonb_build_object('left', $2::text) WHERE subject_id = $1`,
      [subject.subjectId, note],
    )
  }
}

/** A mistaken statement and a broken constraint: by its own settings the server would log both with their values. */
async function failAStatement({ postgres, person, subject }: ResidueContext): Promise<undefined> {
  const text = person.canary('residue')
  await postgres.query('drill_wrong', `SELECT '${text}'::int`, []).catch(() => undefined)
  await postgres
    .query('drill_twice', 'INSERT INTO users_public SELECT * FROM users_public WHERE subject_id = $1', [
      subject.subjectId,
    ])
    .catch(() => undefined)
}

/** Bodies that are none, with the right key and a wrong one: whoever logs what was refused logs the person. */
async function sendBroken({ collectorUrl, writeKey, person }: ResidueContext): Promise<undefined> {
  for (const key of [writeKey, person.canary('residue')]) {
    const authorization = `Basic ${Buffer.from(`${key}:`).toString('base64')}`
    const headers = { 'content-type': 'application/json', authorization }
    const body = `{"batch":[{"type":"track","userId":"${person.canary('residue')}"`
    await fetch(`${collectorUrl}/v1/batch`, { method: 'POST', headers, body })
  }
}

/** The segments of the drill's beginning may have expired by now, on a slow machine. */
async function sendOnceMore({ drill, collectorUrl, writeKey, person }: ResidueContext): Promise<undefined> {
  const event = {
    ...{ type: 'page', userId: person.userId, messageId: randomUUID() },
    properties: { path: `/${person.canary('residue')}/once-more` },
  }
  await sendBatches(collectorUrl, writeKey, [{ batch: [event] }])
  await waitForIngest(drill.config)
}

async function analyze({ postgres, keyring }: ResidueContext): Promise<undefined> {
  await postgres.query('drill_analyze', 'ANALYZE', [])
  await keyring.query('drill_analyze', 'ANALYZE', [])
}

async function leaveDeleteMarker({ s3, person, subject }: ResidueContext): Promise<undefined> {
  const key = `${exportPrefix(subject.token)}deleted.json`
  await putObject(s3, 'exports', key, JSON.stringify({ note: person.canary('exportFile') }))
  await s3.call((client) => client.send(new DeleteObjectCommand({ Bucket: s3.nameOf('exports'), Key: key })))
}

async function leaveUpload({ s3, person, subject }: ResidueContext): Promise<undefined> {
  const about = { Bucket: s3.nameOf('exports'), Key: `${exportPrefix(subject.token)}unfinished.json` }
  const { UploadId } = await s3.call((client) => client.send(new CreateMultipartUploadCommand(about)))
  const part = { ...about, UploadId, PartNumber: 1, Body: `{"note":"${person.canary('residue')}"}` }
  await s3.call((client) => client.send(new UploadPartCommand(part)))
}
