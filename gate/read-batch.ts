import type { BatchCode } from '../schemas/reject-code.ts'
import type { SegmentCall } from '../schemas/segment.ts'
import { readId } from './read-id.ts'

/** Events a request may hold; the byte limit (500 KB) is the collector's. */
export const MAX_BATCH_EVENTS = 5_000

/** The envelope of a request, checked; its events are still untrusted JSON values. */
export interface ParsedBatch {
  events: readonly unknown[]
  /** The call of the route, where a request is a single event; undefined where each event says its own. */
  call: SegmentCall | undefined
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
export function readBatch(json: unknown, body: Uint8Array, call: 'batch' | SegmentCall): ReadBatch {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return { ok: false, code: 'invalid_batch' }
  const envelope = json as Record<string, unknown>
  const writeKey = envelope.writeKey ?? ''
  if (typeof writeKey !== 'string') return { ok: false, code: 'invalid_batch' }
  if (call !== 'batch') {
    // The event itself carries sentAt and messageId; a single event has no envelope around it.
    const events = [envelope]
    return {
      ok: true,
      batch: { events, call, sentAt: undefined, batchId: '', context: undefined, writeKey, body },
    }
  }
  const events = envelope.batch
  const batchId = readId(envelope.messageId)
  if (!Array.isArray(events) || batchId === undefined) return { ok: false, code: 'invalid_batch' }
  if (events.length === 0) return { ok: false, code: 'empty_batch' }
  if (events.length > MAX_BATCH_EVENTS) return { ok: false, code: 'too_many_events' }
  const { sentAt, context } = envelope
  return { ok: true, batch: { events, call: undefined, sentAt, batchId, context, writeKey, body } }
}
