import { parseProviderKeyName } from '../../postgres/key-shard.ts'
import type { ErasureHorizon } from '../../schemas/erasure.ts'
import { type KafkaHorizonDeps, kafkaHorizons, type Purpose } from './kafka-horizons.ts'
import type { OpenRequest } from './observation.ts'
import type { Copies } from './read-copies.ts'

export interface HorizonDeps extends KafkaHorizonDeps {
  readCopies(): Promise<Copies>
  privacy: KafkaHorizonDeps['privacy'] & { backupRetentionMs: number; keyringBackupRetentionMs: number }
}

const HOUR_MS = 3_600_000

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
 * @param named what the certificate named, once there is one
 */
export async function listHorizons(
  deps: HorizonDeps,
  request: OpenRequest,
  { heldUntilMs, purpose }: { heldUntilMs: number; purpose: Purpose },
  named: readonly { what: string }[] = [],
): Promise<ErasureHorizon[]> {
  const copies = await deps.readCopies()
  const found = [
    ...backups(copies, heldUntilMs),
    ...shippedLog(deps, copies, heldUntilMs),
    ...serverLog(deps, copies, heldUntilMs, named),
    ...unaccounted(deps, copies, heldUntilMs),
    ...providerKeys(deps, copies, request),
  ]
  return [...found, ...(await kafkaHorizons(deps, request, { heldUntilMs, purpose }, found))]
}

const SERVER_LOG = "write-ahead log on the server's own disk, up to segment "
const SERVER_LOG_MS = 10 * 60_000

/**
 * Segments of Postgres's log up to the one that was written when the certificate was issued; the certificate names it, so
 * that a later look knows which. A role that may not list them (it needs pg_monitor) waits for the date alone.
 */
function serverLog(
  { privacy, now }: HorizonDeps,
  { segments }: Copies,
  heldUntilMs: number,
  named: readonly { what: string }[],
): ErasureHorizon[] {
  const store = 'postgres/wal'
  const expiresByMs = heldUntilMs + Math.min(SERVER_LOG_MS, privacy.backupRetentionMs + 30_000)
  if (!segments) {
    const what = "write-ahead log on the server's own disk"
    return expiresByMs <= now() ? [] : [{ store, what, expiresByMs }]
  }
  const before = named.find(({ what }) => what.startsWith(SERVER_LOG))?.what.slice(SERVER_LOG.length)
  const last = before ?? segments.current
  if (segments.oldest !== null && segments.oldest > last) return []
  return [{ store, what: `${SERVER_LOG}${last}`, expiresByMs }]
}

function backups(copies: Copies, heldUntilMs: number): ErasureHorizon[] {
  const last = new Map<string, number>()
  for (const { kind, takenAtMs, expiresAtMs } of copies.backups) {
    if (takenAtMs <= heldUntilMs) last.set(kind, Math.max(last.get(kind) ?? 0, expiresAtMs))
  }
  return [...last]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, expiresByMs]) => ({
      store: BACKUPS,
      what: WHAT[kind] ?? `backups of ${kind}`,
      expiresByMs,
    }))
}

/** Log of before the certificate is copied afterwards, and lives from then. */
function shippedLog(
  { privacy: { backupRetentionMs }, now }: HorizonDeps,
  { shipsLog }: Copies,
  heldUntilMs: number,
): ErasureHorizon[] {
  const expiresByMs = heldUntilMs + backupRetentionMs + Math.min(HOUR_MS, backupRetentionMs)
  if (!shipsLog || expiresByMs <= now()) return []
  return [{ store: BACKUPS, what: WHAT.wal!, expiresByMs }]
}

/** Objects of before that no row of `backups` accounts for, those of a backup that is said to be deleted among them. */
function unaccounted(
  { now }: HorizonDeps,
  { backups: known, objects }: Copies,
  heldUntilMs: number,
): ErasureHorizon[] {
  const locations = [...new Set(known.map(({ location }) => location))]
  const stray = objects.some(
    ({ key, writtenAtMs }) =>
      writtenAtMs <= heldUntilMs &&
      !key.startsWith('catalog') &&
      !locations.some((one) => key.startsWith(one)),
  )
  return stray ? [{ store: BACKUPS, what: 'files that no backup accounts for', expiresByMs: now() }] : []
}

/** Keys that are destroyed and that their provider could still recall. */
function providerKeys({ now }: HorizonDeps, { keys }: Copies, { observed }: OpenRequest): ErasureHorizon[] {
  const shards = new Set((observed?.subjects ?? []).map((one) => one.shard))
  const waiting = keys.flatMap(({ name, goneByMs }) => {
    const key = parseProviderKeyName(name)
    return goneByMs !== null && goneByMs > now() && key && shards.has(key.shard) ? goneByMs : []
  })
  if (waiting.length === 0) return []
  return [
    { store: 'keyring', what: 'wrapping keys in their waiting period', expiresByMs: Math.max(...waiting) },
  ]
}
