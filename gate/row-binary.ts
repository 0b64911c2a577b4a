import type { EventRow } from '../schemas/event-row.ts'

/** Encodes rows in ClickHouse's RowBinary, `ROW_COLUMNS` order. Strings must be well-formed UTF-16. */
export function encodeRows(_rows: readonly EventRow[]): Buffer {
  throw new Error('to come')
}

/** Reads back what `encodeRows` wrote. @throws RangeError on a truncated or overlong buffer. */
export function decodeRows(_buffer: Uint8Array): EventRow[] {
  throw new Error('to come')
}
