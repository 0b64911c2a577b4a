/**
 * One record of the Kafka topic `events`: the rows of one subject out of one client batch.
 * Key: the subject token (16 bytes). Value: `count` rows of `events_raw` in RowBinary, see event-row.ts.
 * The headers are all that ingest reads; it never parses a value.
 */
export interface EventRecord {
  /** Subject token, 16 bytes: key of the record. */
  subject: Buffer
  /** Rows in RowBinary, `ROW_COLUMNS` order. */
  rows: Buffer
  app: string
  /**
   * 16 bytes: hash of (app, batch id, token), or of the message ids where the client gave no batch id. A client's
   * retry carries the same one, so that it is counted once.
   */
  batch: Buffer
  /** Number of rows. */
  count: number
  /** Row layout, `ROW_FORMAT` of the gate that encoded it. */
  format: number
}

/** Names of the record's headers; `crc` is CRC-32 of the value, so that a body not written by a gate is poison at once. */
export const EVENT_HEADERS = { app: 'a', batch: 'b', count: 'n', format: 'f', crc: 'c' } as const

/** Topics, without the configured prefix. */
export const TOPICS = {
  events: 'events',
  eventsRejected: 'events_rejected',
  subjectStates: 'subject_states',
  revocations: 'revocations',
} as const

/** Why a record or an event never reached `events_raw`. A closed list: reasons are counted by code, never by content. */
export interface Rejection {
  app: string
  code: string
  /** Event definition name where it is a declared one, else ''. */
  event: string
  count: number
  /** Milliseconds since 1970. */
  at: number
}
