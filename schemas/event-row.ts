import { z } from 'zod'

/**
 * One row of `events_raw`, as the gate hands it on: no identifier that a client sent is in it.
 * The order of the keys is the order of the columns on the wire (RowBinary), and both are part of `ROW_FORMAT`:
 * ingest never parses a body, so a change here needs a new number, and old records keep their old column list.
 */
export const EventRow = z.object({
  app: z.string(),
  /** Event name from the registry, e.g. `purchase`. */
  event: z.string(),
  /** When it happened: client clock corrected by `sentAt`, clamped. Milliseconds since 1970, UTC. */
  ts: z.number().int(),
  /** When the collector accepted it. Milliseconds since 1970, UTC. */
  receivedAt: z.number().int(),
  /** Subject token, 16 bytes. */
  subject: z.instanceof(Uint8Array),
  /** Keyed hashes of joinable ids under the subject's own key; 0n where the client sent none. */
  session: z.bigint(),
  device: z.bigint(),
  eventId: z.bigint(),
  orderId: z.bigint(),
  /** Page path or screen name, without query and fragment; '' where there is none. */
  path: z.string(),
  /** Element id of a click, product id of a shop event; '' where there is none. */
  element: z.string(),
  product: z.string(),
  /** Money, in 1/10,000 of the currency's unit (Decimal(18, 4) on the wire); 0n where there is none. */
  revenue: z.bigint(),
  /** ISO 4217 code, '' where there is no money. */
  currency: z.string(),
  /** The remaining declared properties, as a JSON object text. */
  props: z.string(),
})
export type EventRow = z.infer<typeof EventRow>

/** Version of the row layout; travels in the record's `format` header. */
export const ROW_FORMAT = 1

/** Columns of `events_raw` in wire order with their ClickHouse types; RowBinary has no names, so order is the contract. */
export const ROW_COLUMNS = [
  ['app', 'LowCardinality(String)'],
  ['event', 'LowCardinality(String)'],
  ['ts', 'DateTime64(3)'],
  ['received_at', 'DateTime64(3)'],
  ['subject', 'FixedString(16)'],
  ['session', 'UInt64'],
  ['device', 'UInt64'],
  ['event_id', 'UInt64'],
  ['order_id', 'UInt64'],
  ['path', 'String'],
  ['element', 'String'],
  ['product', 'String'],
  ['revenue', 'Decimal(18, 4)'],
  ['currency', 'LowCardinality(String)'],
  ['props', 'String'],
] as const

/**
 * Columns of every format that may still lie in Kafka. A new `ROW_FORMAT` adds its number here and spells out the columns
 * that the old number had: ingest reads both until the old records have aged out of the topic.
 */
export const ROW_LAYOUTS: Readonly<Record<number, readonly (readonly [name: string, type: string])[]>> = {
  1: ROW_COLUMNS,
}
