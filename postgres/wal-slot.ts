import type pg from 'pg'
import { EbbError } from '../runtime/errors.ts'

/** What a session says of its server. LSNs are byte positions in the write-ahead log. */
export interface WalState {
  /** Identifier of the server's data: two databases with the same one share one log. */
  system: string
  timeline: number
  segmentBytes: bigint
  /** End of the log. */
  lsn: bigint
}

/** One slot an installation: the database's name tells installations on one server apart. */
export function slotName(database: string): string {
  return `ebb_wal_${database.toLowerCase().replace(/[^a-z0-9_]/g, '_')}`.slice(0, 63)
}

export async function readWalState(client: pg.Client): Promise<WalState> {
  const { rows } = await client.query<{ system: string; timeline: number; bytes: string; lsn: string }>(
    `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,
       (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
       (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size') AS bytes,
       pg_current_wal_lsn()::text AS lsn`,
  )
  const row = rows[0]!
  return {
    system: row.system,
    timeline: row.timeline,
    segmentBytes: BigInt(row.bytes),
    lsn: parseLsn(row.lsn),
  }
}

/**
 * Makes the slot that keeps the server from removing what we have not copied yet; one that lost its place is made anew.
 * @returns whether there was an unbroken one before
 */
export async function ensureSlot(client: pg.Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ wal_status: string | null }>(
    'SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1',
    [name],
  )
  if (rows[0] && rows[0].wal_status !== 'lost') return true
  if (rows[0]) await client.query('SELECT pg_drop_replication_slot($1)', [name])
  await client.query('SELECT pg_create_physical_replication_slot($1, true)', [name])
  return false
}

/** From where the slot keeps the log; undefined without a slot. @throws EbbError `wal_gap` when its place is lost */
export async function readSlot(client: pg.Client, name: string): Promise<bigint | undefined> {
  const { rows } = await client.query<{ restart: string | null; wal_status: string | null }>(
    'SELECT restart_lsn::text AS restart, wal_status FROM pg_replication_slots WHERE slot_name = $1',
    [name],
  )
  if (!rows[0]) return undefined
  if (rows[0].wal_status === 'lost' || rows[0].restart === null) {
    throw new EbbError('wal_gap', 'Postgres has removed log that was not copied: take a new base backup')
  }
  return parseLsn(rows[0].restart)
}

/** `0/3000148` as a number. */
export function parseLsn(text: string): bigint {
  const [high = '0', low = '0'] = text.split('/')
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}

export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`
}

/** File name of a segment: timeline, then its number in two halves. */
export function segmentName(timeline: number, segment: bigint, segmentBytes: bigint): string {
  const perFile = 0x1_0000_0000n / segmentBytes
  const hex = (value: bigint) => value.toString(16).toUpperCase().padStart(8, '0')
  return hex(BigInt(timeline)) + hex(segment / perFile) + hex(segment % perFile)
}
