import { ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { type Postgres, PostgresRefusal } from '../../postgres/client.ts'
import type { KeyReader } from '../../postgres/key-provider.ts'
import type { S3 } from '../../s3/client.ts'
import { groupLooks } from './group-looks.ts'

/** What there is of copies outside of Kafka at the moment: the same for every request, and so read once for all who ask. */
export interface Copies {
  /** Backups that nobody has deleted. Milliseconds since 1970. */
  backups: { kind: string; location: string; takenAtMs: number; expiresAtMs: number }[]
  /** Copies of Postgres's write-ahead log are made. */
  shipsLog: boolean
  /** Every version of every object of the bucket of backups. */
  objects: { key: string; writtenAtMs: number }[]
  /** The server's own log; undefined for a role that may not list it. */
  segments: { current: string; oldest: string | null } | undefined
  keys: { name: string; goneByMs: number | null }[]
}

/** Each reading lists a bucket with all its versions. */
const REST_MS = 1_000

/** Reads it once for all who ask while the last reading is under way. */
export function createReadCopies(deps: {
  postgres: Postgres
  s3: S3
  provider: KeyReader
}): () => Promise<Copies> {
  const ask = groupLooks<null, Copies>(REST_MS, async (questions) => {
    const copies = await readCopies(deps)
    return questions.map(() => copies)
  })
  return () => ask(null)
}

async function readCopies({
  postgres,
  s3,
  provider,
}: {
  postgres: Postgres
  s3: S3
  provider: KeyReader
}): Promise<Copies> {
  const [objects, segments, keys] = await Promise.all([
    listBackupVersions(s3),
    readSegments(postgres),
    provider.listKeys(),
  ])
  // After the objects, so that those of a backup that is just done have their row.
  const rows = await postgres.query<{ kind: string; location: string; taken_at: Date; expires_at: Date }>(
    'verifier_backups',
    'SELECT kind, location, taken_at, expires_at FROM backups WHERE deleted_at IS NULL',
    [],
  )
  const [shipped] = await postgres.query<{ any: boolean }>(
    'verifier_wal',
    `SELECT EXISTS (SELECT FROM backups WHERE kind IN ('postgres', 'keyring', 'wal')) AS any`,
    [],
  )
  const backups = rows.map((row) => ({
    kind: row.kind,
    location: row.location,
    takenAtMs: row.taken_at.getTime(),
    expiresAtMs: row.expires_at.getTime(),
  }))
  return { backups, shipsLog: shipped?.any === true, objects, segments, keys }
}

async function readSegments(postgres: Postgres): Promise<Copies['segments']> {
  try {
    const [row] = await postgres.query<{ current: string; oldest: string | null }>(
      'verifier_wal_segments',
      `SELECT pg_walfile_name(pg_current_wal_lsn()) AS current,
         (SELECT min(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$') AS oldest`,
      [],
    )
    return row
  } catch (error) {
    if (!(error instanceof PostgresRefusal)) throw error
    return undefined
  }
}

function listBackupVersions(s3: S3): Promise<Copies['objects']> {
  return s3.call(async (client) => {
    const found: Copies['objects'] = []
    let KeyMarker: string | undefined
    let VersionIdMarker: string | undefined
    for (;;) {
      const page = await client.send(
        new ListObjectVersionsCommand({ Bucket: s3.nameOf('backups'), KeyMarker, VersionIdMarker }),
      )
      for (const one of page.Versions ?? []) {
        found.push({ key: one.Key ?? '', writtenAtMs: one.LastModified?.getTime() ?? 0 })
      }
      if (!page.IsTruncated) return found
      KeyMarker = page.NextKeyMarker
      VersionIdMarker = page.NextVersionIdMarker
    }
  })
}
