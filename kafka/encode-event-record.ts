import { crc32 } from 'node:zlib'
import { EVENT_HEADERS, type EventRecord } from '../schemas/event-record.ts'

/** A record as it travels: `partition` is chosen by us, never by the client library. */
export interface EventMessage {
  key: Buffer
  value: Buffer
  partition: number
  headers: Record<string, Buffer>
}

/**
 * Headers on the wire: app UTF-8, batch 16 bytes, count UInt32 BE, format UInt16 BE, crc UInt32 BE of the value.
 * All of one subject goes to one partition, which is what lets ingest find a client's retry.
 */
export function encodeEventRecord(record: EventRecord, partitions: number): EventMessage {
  const numbers = Buffer.allocUnsafe(10)
  numbers.writeUInt32BE(record.count, 0)
  numbers.writeUInt16BE(record.format, 4)
  numbers.writeUInt32BE(crc32(record.rows) >>> 0, 6)
  return {
    key: record.subject,
    value: record.rows,
    partition: partitionOf(record.subject, partitions),
    headers: {
      [EVENT_HEADERS.app]: Buffer.from(record.app),
      [EVENT_HEADERS.batch]: record.batch,
      [EVENT_HEADERS.count]: numbers.subarray(0, 4),
      [EVENT_HEADERS.format]: numbers.subarray(4, 6),
      [EVENT_HEADERS.crc]: numbers.subarray(6, 10),
    },
  }
}

/** Partition of a subject. A token is the output of HKDF and so uniform: folding its bytes is hash enough. */
export function partitionOf(subject: Buffer, partitions: number): number {
  let folded = 0
  for (let at = 0; at + 4 <= subject.length; at += 4) folded ^= subject.readUInt32BE(at)
  return (folded >>> 0) % partitions
}
