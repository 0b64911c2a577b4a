import { cp, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateMultipartUploadCommand, DeleteObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import type { Postgres } from '../../postgres/client.ts'
import type { S3 } from '../../s3/client.ts'
import { exportPrefix } from '../../s3/exports.ts'
import { putObject } from '../../s3/put-object.ts'
import type { DrillPerson } from './fields.ts'
import type { SubjectBytes } from './subject-bytes.ts'

export interface ResidueContext {
  home: string
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
  plant(context: ResidueContext): Promise<void>
}

/** The engine or the platform leaves it by itself. */
const byItself = async () => undefined

export const RESIDUE_CHECKS: readonly ResidueCheck[] = [
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
  { engine: 'postgres', residue: 'write-ahead log', place: /^postgres pg_wal$/, plant: byItself },
  {
    engine: 'postgres',
    residue: 'pg_statistic',
    isPrevented: true,
    place: /^postgres pg_statistic$/,
    what: /handle|subject/,
    plant: analyze,
  },
  { engine: 'kafka', residue: 'segments behind', place: /^kafka events/, plant: byItself },
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
]

async function freeze({ clickhouse }: ResidueContext): Promise<void> {
  await clickhouse.command({ query: `ALTER TABLE events_raw FREEZE WITH NAME 'drill'` })
}

/** A part that an operator or a failed fetch set aside: a copy of a frozen one, as the files would lie. */
async function leaveDetachedPart({ home, clickhouse }: ResidueContext): Promise<void> {
  const result = await clickhouse.query({
    query: `SELECT data_paths[1] FROM system.tables WHERE database = currentDatabase() AND name = 'events_raw'`,
    format: 'JSONCompactEachRow',
  })
  const [[data]] = (await result.json()) as [[string]]
  const folder = data.startsWith('/') ? data : join(home, 'clickhouse', data)
  const parts = (await readdir(folder)).filter((name) => /^\d{6}_\d+_\d+_\d+$/.test(name))
  await mkdir(join(folder, 'detached'), { recursive: true })
  for (const part of parts) await cp(join(folder, part), join(folder, 'detached', part), { recursive: true })
}

async function leaveDeadTuple({ postgres, person, subject }: ResidueContext): Promise<void> {
  for (const note of [person.canary('residue'), 'something else']) {
    await postgres.query(
      'drill_dead_tuple',
      `UPDATE users_public SET traits = traits || jsonb_build_object('left', $2::text) WHERE subject_id = $1`,
      [subject.subjectId, note],
    )
  }
}

async function analyze({ postgres, keyring }: ResidueContext): Promise<void> {
  await postgres.query('drill_analyze', 'ANALYZE', [])
  await keyring.query('drill_analyze', 'ANALYZE', [])
}

async function leaveDeleteMarker({ s3, person, subject }: ResidueContext): Promise<void> {
  const key = `${exportPrefix(subject.token)}deleted.json`
  await putObject(s3, 'exports', key, JSON.stringify({ note: person.canary('exportFile') }))
  await s3.call((client) => client.send(new DeleteObjectCommand({ Bucket: s3.nameOf('exports'), Key: key })))
}

async function leaveUpload({ s3, person, subject }: ResidueContext): Promise<void> {
  const about = { Bucket: s3.nameOf('exports'), Key: `${exportPrefix(subject.token)}unfinished.json` }
  const { UploadId } = await s3.call((client) => client.send(new CreateMultipartUploadCommand(about)))
  const part = { ...about, UploadId, PartNumber: 1, Body: `{"note":"${person.canary('residue')}"}` }
  await s3.call((client) => client.send(new UploadPartCommand(part)))
}
