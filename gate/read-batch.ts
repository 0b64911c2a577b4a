import type { BatchCode } from '../schemas/reject-code.ts'
import type { SegmentCall } from '../schemas/segment.ts'

/** Events a request may hold; the byte limit (500 KB) is the collector's. */
export const MAX_BATCH_EVENTS = 5_000

/** The envelope of a request, checked; its events are still untrusted JSON values. */
export interface ParsedBatch {
  events: readonly unknown[]
  /** As sent, for the clock correction. */
  sentAt: unknown
  /** The client's id of the batch, '' where absent; a retry carries the same one. */
  batchId: string
  /** Context of the envelope, which stands in where an event has none. */
  context: unknown
  /** Write key in the body, '' where absent. */
  writeKey: string
  /** The request's body as received (after gunzip): names events that carry no id of their own. */
  body: Uint8Array
}

export type ReadBatch = { ok: true; batch: ParsedBatch } | { ok: false; code: BatchCode }

/**
 * Reads a request body of the Segment API.
 * @param json the parsed body. @param body its bytes. @param call the route: `batch`, or the call whose single event it is.
 */
export function readBatch(_json: unknown, _body: Uint8Array, _call: 'batch' | SegmentCall): ReadBatch {
  throw new Error('to come')
}
