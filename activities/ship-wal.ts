import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type pg from 'pg'
import { withAdvisoryLock } from '../postgres/advisory-lock.ts'
import { listStoredBackups, recordBackup } from '../postgres/backups.ts'
import type { Postgres } from '../postgres/client.ts'
import { readServerFile } from '../postgres/read-server-file.ts'
import { formatLsn, readSlot, readWalState, segmentName, slotName } from '../postgres/wal-slot.ts'
import { databaseOf, withSession } from '../postgres/with-session.ts'
import { isLeftOut } from '../runtime/left-out-purge.ts'
import { writeCatalogRecord } from '../s3/backup-catalog.ts'
import { purgeOldVersions } from '../s3/purge.ts'
import { putObject } from '../s3/put-object.ts'
import type { BackupActivities, BackupRecord } from '../schemas/backup.ts'
import type { BackupDeps } from './backup-deps.ts'
import { beatWhile } from './beat-while.ts'

export function createShipWal(deps: BackupDeps): BackupActivities['shipWal'] {
  return () => beatWhile(() => shipWal(deps))
}

/**
 * Ends the running segment of Postgres's log and copies every finished one that the bucket does not have, of each database's
 * slot. Called every two minutes it loses at most that much. Nothing is copied before the first base backup; while a
 * request is open, the server is made to drop the segments that it does not need.
 * @throws EbbError `wal_gap`: the server removed log before it was copied; the next base backup begins anew
 */
export async function shipWal(deps: BackupDeps): Promise<{ segments: number }> {
  if (isLeftOut('wal-shipping')) return { segments: 0 }
  const { url, keyringUrl } = deps.config.postgres
  return withAdvisoryLock(url, 'ebb wal', async () => {
    let segments = 0
    for (const [kind, database] of [
      ['postgres', url],
      ['keyring', keyringUrl],
    ] as const) {
      segments += await shipFrom(deps, kind, database)
    }
    return { segments }
  })
}

async function shipFrom(deps: BackupDeps, kind: 'postgres' | 'keyring', url: string): Promise<number> {
  const slot = slotName(databaseOf(url))
  return withSession(url, async (client) => {
    const lsn = await readSlot(client, slot)
    if (lsn === undefined && !(await hasOpenRequests(deps.postgres))) return 0
    await client.query('SELECT pg_switch_wal()')
    const segments = lsn === undefined ? 0 : await copyFinished(deps, client, { kind, slot, lsn })
    // What nobody needs any more leaves the server's own disk, and with it what it says of people who are being erased.
    await client.query('CHECKPOINT')
    return segments
  })
}

async function hasOpenRequests(postgres: Postgres): Promise<boolean> {
  const rows = await postgres.query(
    'open_requests',
    'SELECT 1 FROM privacy_requests WHERE closed_at IS NULL LIMIT 1',
    [],
  )
  return rows.length > 0
}

/** @returns segments that are in the bucket now, and that the slot has let go of */
async function copyFinished(
  deps: BackupDeps,
  client: pg.Client,
  from: { kind: 'postgres' | 'keyring'; slot: string; lsn: bigint },
): Promise<number> {
  const { backupRetentionMs, keyringBackupRetentionMs } = deps.config.privacy
  const state = await readWalState(client)
  const names: string[] = []
  const end = state.lsn / state.segmentBytes
  for (let segment = from.lsn / state.segmentBytes; segment < end; segment++) {
    names.push(segmentName(state.timeline, segment, state.segmentBytes))
  }
  if (names.length === 0) return 0
  const shippedAtMs = deps.now()
  const location = walLocation(from.kind, state.system)
  const record: BackupRecord = {
    backupId: randomUUID(),
    kind: 'wal',
    location,
    takenAtMs: await lastShipped(deps, location, shippedAtMs),
    expiresAtMs: shippedAtMs + (from.kind === 'keyring' ? keyringBackupRetentionMs : backupRetentionMs),
    detail: {
      complete: false,
      system: state.system,
      timeline: state.timeline,
      segments: names,
      shippedAtMs,
    },
  }
  await recordBackup(deps.postgres, record)
  let bytes = 0
  for (const name of names)
    bytes += await copySegment(deps, client, location, name, Number(state.segmentBytes))
  const complete = { ...record, detail: { ...record.detail, complete: true, bytes } }
  await writeCatalogRecord(deps.s3, complete)
  await recordBackup(deps.postgres, complete)
  // Last: what the slot lets go of is in the bucket. A crash before it copies the same segments again.
  await client.query('SELECT pg_replication_slot_advance($1, $2::pg_lsn)', [
    from.slot,
    formatLsn(end * state.segmentBytes),
  ])
  return names.length
}

/** Where a server's segments lie. A keyring on a server of its own has its own, which live shorter. */
export function walLocation(kind: 'postgres' | 'keyring', system: string): string {
  return `wal/${kind}/${system}/`
}

const compress = promisify(gzip)

async function copySegment(
  deps: BackupDeps,
  client: pg.Client,
  location: string,
  name: string,
  bytes: number,
): Promise<number> {
  const chunks: Buffer[] = []
  for await (const chunk of readServerFile(client, `pg_wal/${name}`, bytes)) chunks.push(chunk)
  const body = await compress(Buffer.concat(chunks), { level: 1 })
  const key = `${location}${name}.gz`
  await putObject(deps.s3, 'backups', key, body)
  await purgeOldVersions(deps.s3, 'backups', key)
  return body.length
}

/** What the segments hold is younger than the last copy, or than the first base backup. */
async function lastShipped(deps: BackupDeps, location: string, now: number): Promise<number> {
  const stored = await listStoredBackups(deps.postgres)
  const before = stored.filter((one) => one.kind === 'wal' && one.location === location)
  const times = before.map((one) => one.detail.shippedAtMs ?? one.takenAtMs)
  if (times.length > 0) return Math.max(...times)
  return Math.min(now, ...stored.filter((one) => one.kind !== 'wal').map((one) => one.takenAtMs))
}
