import type { EventRow } from '../schemas/event-row.ts'

/**
 * ClickHouse's RowBinary: values one after the other in column order, without names or lengths of rows. Strings are a
 * LEB128 length and UTF-8; integers and DateTime64(3) ticks are little-endian; Decimal(18, 4) is an Int64 of 1/10,000.
 * https://clickhouse.com/docs/interfaces/formats/RowBinary
 */
export interface RowWriter {
  /** Forgets what was written; the memory stays. */
  reset(): void
  string(text: string): void
  /** FixedString: the bytes alone. */
  fixed(bytes: Uint8Array): void
  /** Int64 from a safe integer. */
  int64(value: number): void
  /** UInt64 as the first 8 bytes of a hash in latin1. Zero stands for "none", so a hash of zero becomes one. '' is none. */
  hash64(latin1: string): void
  /** A copy of all that was written. */
  take(): Buffer
}

const TWO_32 = 4_294_967_296
/** Below this many characters a loop over ASCII is faster than a call into native code. */
const LOOP_LIMIT = 24

export function createRowWriter(initialBytes = 64 * 1024): RowWriter {
  let bytes = Buffer.allocUnsafeSlow(initialBytes)
  let at = 0

  function reserve(more: number): void {
    if (at + more <= bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes.length * 2, at + more))
    bytes.copy(larger, 0, 0, at)
    bytes = larger
  }

  return {
    reset() {
      at = 0
    },
    string(text) {
      const length = text.length
      reserve(length * 3 + 5)
      if (length < LOOP_LIMIT && putShortAscii(bytes, at, text)) {
        at += 1 + length
        return
      }
      // The length's own length must be known before the text is written: sure below 43 characters (at most 3 bytes each)
      // and, as two bytes, from 128 characters to 5,461.
      const head = length < 43 ? 1 : length >= 128 && length < 5_462 ? 2 : 0
      if (head === 0) {
        at = putVarint(bytes, at, Buffer.byteLength(text))
        at += bytes.write(text, at)
        return
      }
      const written = bytes.write(text, at + head)
      putVarint(bytes, at, written)
      at += head + written
    },
    fixed(value) {
      reserve(value.length)
      for (let i = 0; i < value.length; i++) bytes[at++] = value[i] as number
    },
    int64(value) {
      reserve(8)
      const high = Math.floor(value / TWO_32)
      at = bytes.writeUInt32LE(value - high * TWO_32, at)
      at = bytes.writeInt32LE(high, at)
    },
    hash64(latin1) {
      reserve(8)
      if (latin1 === '') {
        bytes.fill(0, at, at + 8)
        at += 8
        return
      }
      let any = 0
      for (let i = 0; i < 8; i++) any |= bytes[at + i] = latin1.charCodeAt(i)
      if (any === 0) bytes[at] = 1
      at += 8
    },
    take() {
      return Buffer.from(bytes.subarray(0, at))
    },
  }
}

/** @returns where the next byte goes. */
function putVarint(bytes: Buffer, start: number, value: number): number {
  let at = start
  let rest = value
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}

/** Writes the length, then the text. @returns false where a character is not ASCII; what was written does not count then. */
function putShortAscii(bytes: Buffer, at: number, text: string): boolean {
  const length = text.length
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return false
    bytes[at + 1 + i] = code
  }
  bytes[at] = length
  return true
}

/** Encodes rows in `ROW_COLUMNS` order. Lone surrogates become U+FFFD, so that the bytes are valid UTF-8. */
export function encodeRows(rows: readonly EventRow[]): Buffer {
  const writer = createRowWriter(256 * rows.length + 64)
  const eight = Buffer.alloc(8)
  const uint64 = (value: bigint) => {
    eight.writeBigUInt64LE(value)
    writer.fixed(eight)
  }
  for (const row of rows) {
    if (row.subject.length !== 16) throw new RangeError('a subject token has 16 bytes')
    writer.string(row.app)
    writer.string(row.event)
    writer.int64(row.ts)
    writer.int64(row.receivedAt)
    writer.fixed(row.subject)
    uint64(row.session)
    uint64(row.device)
    uint64(row.eventId)
    uint64(row.orderId)
    writer.string(row.path)
    writer.string(row.element)
    writer.string(row.product)
    uint64(BigInt.asUintN(64, row.revenue))
    writer.string(row.currency)
    writer.string(row.props)
  }
  return writer.take()
}

/** Reads back what `encodeRows` or the gate wrote. @throws RangeError on a truncated buffer or bytes beyond the last row. */
export function decodeRows(input: Uint8Array): EventRow[] {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const rows: EventRow[] = []
  let at = 0

  const take = (length: number) => {
    if (at + length > bytes.length) throw new RangeError(`row ${rows.length} ends beyond the buffer`)
    at += length
    return bytes.subarray(at - length, at)
  }
  const string = () => {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      if (shift > 28) throw new RangeError(`row ${rows.length} has an overlong string`)
      const byte = take(1)[0] as number
      length += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    return utf8.decode(take(length))
  }
  const int64 = () => take(8).readBigInt64LE()
  const uint64 = () => take(8).readBigUInt64LE()

  while (at < bytes.length) {
    rows.push({
      app: string(),
      event: string(),
      ts: Number(int64()),
      receivedAt: Number(int64()),
      subject: Buffer.from(take(16)),
      session: uint64(),
      device: uint64(),
      eventId: uint64(),
      orderId: uint64(),
      path: string(),
      element: string(),
      product: string(),
      revenue: int64(),
      currency: string(),
      props: string(),
    })
  }
  return rows
}
