import { ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { DEFAULT_MAX_AGE_DAYS } from '../../gate/admit-event.ts'
import { type Postgres, PostgresRefusal } from '../../postgres/client.ts'
import type { KeyProvider } from '../../postgres/key-provider.ts'
import { parseProviderKeyName } from '../../postgres/key-shard.ts'
import type { S3 } from '../../s3/client.ts'
import type { ErasureHorizon } from '../../schemas/erasure.ts'
import type { OpenRequest } from './observation.ts'

export interface HorizonDeps {
  postgres: Postgres
  s3: S3
  provider: KeyProvider
  /** Offsets of `events` by partition: the oldest record kept, and the first that came after a moment. */
  readEventsKept(afterMs: number): Promise<{ low: number; firstAfter: number }[]>
  privacy: {
    backupRetentionMs: number
    keyringBackupRetentionMs: number
    suppressMs: number | undefined
    eventsRetentionMs: number
  }
  now(): number
}

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** From a record's retention to its segment's end on disk: the segment's own span, the broker's checks, its delay. */
const SEGMENT_SLACK_MS = 30 * 60_000

const BACKUPS = 's3/backups'
const WHAT: Record<string, string> = {
  clickhouse: 'backups of ClickHouse',
  postgres: 'backups of Postgres',
  keyring: 'backups of the keyring',
  wal: 'write-ahead log of Postgres, for restores to a moment',
}

/**
 * Copies that die of age and may hold something of the person, as they are now, each with the moment by which it is gone.
 * A copy is listed for as long as it is found, or cannot be excluded.
 * @param heldUntilMs what was copied after this moment holds nothing of the person: when the certificate was issued, or now
 */
export async function listHorizons(
  deps: HorizonDeps,
  request: OpenRequest,
  heldUntilMs: number,
  /** What the certificate named, once there is one. */
  named: readonly { what: string }[] = [],
): Promise<ErasureHorizon[]> {
  const [kept, states] = await Promise.all([events(deps, request), suppression(deps, request, heldUntilMs)])
  const found = await Promise.all([
    backups(deps, heldUntilMs),
    writeAheadLog(deps, heldUntilMs),
    serverLog(deps, heldUntilMs, named),
    unaccounted(deps, heldUntilMs),
    providerKeys(deps, request),
  ])
  return [...found.flat(), ...kept, ...states, ...revocations([...kept, ...states])]
}

const SERVER_LOG = "write-ahead log on the server's own disk, up to segment "
const SERVER_LOG_MS = 10 * 60_000

/**
 * Segments of Postgres's log up to the one that was written when the certificate was issued; the certificate names it, so
 * that a later look knows which. A role that may not list them (it needs pg_monitor) waits for the date alone.
 */
async function serverLog(
  { postgres, privacy, now }: HorizonDeps,
  heldUntilMs: number,
  named: readonly { what: string }[],
): Promise<ErasureHorizon[]> {
  const store = 'postgres/wal'
  const expiresByMs = heldUntilMs + Math.min(SERVER_LOG_MS, privacy.backupRetentionMs + 30_000)
  const before = named.find(({ what }) => what.startsWith(SERVER_LOG))?.what.slice(SERVER_LOG.length)
  try {
    const [row] = await postgres.query<{ current: string; oldest: string | null }>(
      'verifier_wal_segments',
      `SELECT pg_walfile_name(pg_current_wal_lsn()) AS current,
         (SELECT min(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$') AS oldest`,
      [],
    )
    const last = before ?? row!.current
    if (row!.oldest !== null && row!.oldest > last) return []
    return [{ store, what: `${SERVER_LOG}${last}`, expiresByMs }]
  } catch (error) {
    if (!(error instanceof PostgresRefusal)) throw error
    return expiresByMs <= now()
      ? []
      : [{ store, what: "write-ahead log on the server's own disk", expiresByMs }]
  }
}

/** Tokens that nothing may be stored under: needed for as long as records or late batches may come, random numbers by then. */
function revocations(others: readonly ErasureHorizon[]): ErasureHorizon[] {
  if (others.length === 0) return []
  const expiresByMs = Math.max(...others.map((one) => one.expiresByMs))
  return [
    {
      store: 'kafka/revocations',
      what: 'tokens under which nothing may be stored, of no use to anyone since the keys are gone',
      expiresByMs,
    },
  ]
}

async function backups({ postgres }: HorizonDeps, heldUntilMs: number): Promise<ErasureHorizon[]> {
  const rows = await postgres.query<{ kind: string; expires_at: Date }>(
    'verifier_backups',
    `SELECT kind, max(expires_at) AS expires_at FROM backups
     WHERE deleted_at IS NULL AND taken_at <= $1 GROUP BY kind ORDER BY kind`,
    [new Date(heldUntilMs)],
  )
  return rows.map((row) => ({
    store: BACKUPS,
    what: WHAT[row.kind] ?? `backups of ${row.kind}`,
    expiresByMs: row.expires_at.getTime(),
  }))
}

/** Log of before the certificate is copied afterwards, and lives from then. */
async function writeAheadLog(deps: HorizonDeps, heldUntilMs: number): Promise<ErasureHorizon[]> {
  const [row] = await deps.postgres.query<{ any: boolean }>(
    'verifier_wal',
    `SELECT EXISTS (SELECT FROM backups WHERE kind IN ('postgres', 'keyring', 'wal')) AS any`,
    [],
  )
  const { backupRetentionMs } = deps.privacy
  const expiresByMs = heldUntilMs + backupRetentionMs + Math.min(HOUR_MS, backupRetentionMs)
  if (!row?.any || expiresByMs <= deps.now()) return []
  return [{ store: BACKUPS, what: WHAT.wal!, expiresByMs }]
}

/** Objects of before that no row of `backups` accounts for, those of a backup that is said to be deleted among them. */
async function unaccounted(
  { postgres, s3, now }: HorizonDeps,
  heldUntilMs: number,
): Promise<ErasureHorizon[]> {
  const rows = await postgres.query<{ location: string }>(
    'verifier_backup_locations',
    'SELECT DISTINCT location FROM backups WHERE deleted_at IS NULL',
    [],
  )
  const locations = rows.map((row) => row.location)
  const left = (await listBackupVersions(s3)).filter(
    ({ key, writtenAtMs }) =>
      writtenAtMs <= heldUntilMs &&
      !key.startsWith('catalog') &&
      !locations.some((one) => key.startsWith(one)),
  )
  if (left.length === 0) return []
  return [{ store: BACKUPS, what: 'files that no backup accounts for', expiresByMs: now() }]
}

function listBackupVersions(s3: S3): Promise<{ key: string; writtenAtMs: number }[]> {
  return s3.call(async (client) => {
    const found: { key: string; writtenAtMs: number }[] = []
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

/** Records of before the block that Kafka still has. */
async function events(deps: HorizonDeps, { progress }: OpenRequest): Promise<ErasureHorizon[]> {
  const blockedMs = progress.block?.atMs ?? deps.now()
  const partitions = await deps.readEventsKept(blockedMs)
  if (partitions.every(({ low, firstAfter }) => low >= firstAfter)) return []
  const { eventsRetentionMs } = deps.privacy
  const slack = Math.min(SEGMENT_SLACK_MS, eventsRetentionMs + 60_000)
  return [
    {
      store: 'kafka/events',
      what: 'records of before the block, unlinkable since the keys are gone',
      expiresByMs: blockedMs + eventsRetentionMs + slack,
    },
  ]
}

/** Keyed hashes of the person's ids, kept so that late batches store nothing. */
async function suppression(
  deps: HorizonDeps,
  { app, progress }: OpenRequest,
  heldUntilMs: number,
): Promise<ErasureHorizon[]> {
  const suppressMs = deps.privacy.suppressMs ?? (await maxAgeMs(deps.postgres, app))
  const slack = Math.min(HOUR_MS, suppressMs)
  const expiresByMs = progress.cutoff?.untilMs ?? heldUntilMs + suppressMs + slack
  if (expiresByMs <= deps.now()) return []
  return [
    { store: 'kafka/subject_states', what: 'keyed hashes of the ids, against late batches', expiresByMs },
  ]
}

async function maxAgeMs(postgres: Postgres, app: string): Promise<number> {
  const rows = await postgres.query<{ days: string | null }>(
    'verifier_app_rules',
    `SELECT rules->>'maxAgeDays' AS days FROM apps WHERE app = $1`,
    [app],
  )
  return Number(rows[0]?.days ?? DEFAULT_MAX_AGE_DAYS) * DAY_MS
}

/** Keys that are destroyed and that their provider could still recall. */
async function providerKeys(
  { provider, now }: HorizonDeps,
  { observed }: OpenRequest,
): Promise<ErasureHorizon[]> {
  const shards = new Map((observed?.subjects ?? []).map((one) => [one.shard, one.keyVersion]))
  const waiting = (await provider.listKeys()).flatMap(({ name, goneByMs }) => {
    const key = parseProviderKeyName(name)
    return goneByMs !== null && goneByMs > now() && key && shards.has(key.shard) ? goneByMs : []
  })
  if (waiting.length === 0) return []
  return [
    { store: 'keyring', what: 'wrapping keys in their waiting period', expiresByMs: Math.max(...waiting) },
  ]
}
