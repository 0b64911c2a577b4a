import { crc32 } from 'node:zlib'
import { EVENT_HEADERS } from '../../schemas/event-record.ts'
import { ROW_LAYOUTS } from '../../schemas/event-row.ts'
import { countRows } from './count-rows.ts'
import { RECORD_MAX_ROWS } from './limits.ts'

/** Why a record is refused; goes to `events_rejected`, the body never does. */
export type PoisonCode = 'foreign_record' | 'unknown_format' | 'corrupt_record' | 'unreadable_rows'

/** What kafkajs hands over, as far as ingest reads it. */
export interface RawRecord {
  key: Buffer | null
  value: Buffer | null
  /** Milliseconds since 1970, set by the broker. */
  timestamp: string
  offset: string
  headers?: Record<string, unknown>
}

export interface IngestRecord {
  offset: number
  /** Kafka's time of appending, milliseconds since 1970. */
  at: number
  app: string
  subject: Buffer
  /** 16 bytes, the same in a client's retry. */
  batch: Buffer
  count: number
  format: number
  rows: Buffer
  /** Set when the record must not be inserted. */
  poison: PoisonCode | undefined
}

const NO_BYTES = Buffer.alloc(0)
export const NO_BATCH = Buffer.alloc(16)

/**
 * Decides by headers, checksum and the number of rows whether a gate wrote this record whole; no value of the body is
 * read.
 */
export function inspectRecord(raw: RawRecord): IngestRecord {
  const headers = raw.headers ?? {}
  const app = headers[EVENT_HEADERS.app]
  const batch = headers[EVENT_HEADERS.batch]
  const count = readNumber(headers[EVENT_HEADERS.count], 4)
  const format = readNumber(headers[EVENT_HEADERS.format], 2)
  const crc = readNumber(headers[EVENT_HEADERS.crc], 4)
  const record = {
    offset: Number(raw.offset),
    at: Number(raw.timestamp),
    app: Buffer.isBuffer(app) && app.length <= 128 ? app.toString() : '',
    subject: raw.key ?? NO_BYTES,
    batch: Buffer.isBuffer(batch) && batch.length === 16 ? batch : NO_BATCH,
    count,
    format,
    rows: raw.value ?? NO_BYTES,
  }
  const ours = record.app !== '' && record.subject.length === 16 && record.batch !== NO_BATCH
  if (!ours || raw.value === null || count < 1 || count > RECORD_MAX_ROWS || format < 0)
    return { ...record, app: '', poison: 'foreign_record' }
  if (crc !== crc32(raw.value) >>> 0) return { ...record, poison: 'corrupt_record' }
  // No gate ever wrote a zero; any other number may be that of a newer gate, see isReadable.
  if (format === 0) return { ...record, poison: 'unknown_format' }
  if (isReadable(record) && countRows(raw.value, format) !== count)
    return { ...record, poison: 'unreadable_rows' }
  return { ...record, poison: undefined }
}

/** False: the rows were acknowledged to a client and are not ours to throw away, but only a newer release can read them. */
export function isReadable(record: Pick<IngestRecord, 'format'>): boolean {
  return ROW_LAYOUTS[record.format] !== undefined
}

/** Unsigned, big-endian; -1 when the header is missing or has another length. */
function readNumber(header: unknown, bytes: number): number {
  return Buffer.isBuffer(header) && header.length === bytes ? header.readUIntBE(0, bytes) : -1
}
