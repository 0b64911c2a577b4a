import type { Registry } from '../schemas/registry.ts'
import type { DropCode, RejectCode } from '../schemas/reject-code.ts'
import { createAdmission } from './admit-event.ts'
import { isLarger, MAX_EVENT_BYTES } from './is-deep.ts'
import type { ParsedBatch } from './read-batch.ts'
import { type DraftEvent, settleDrops, startWork } from './work.ts'

export type { DraftEvent } from './work.ts'

/** What an app has chosen for itself. */
export interface AppRules {
  /** Name of the app, column `app`. */
  app: string
  /** Events older than this are rejected `too_old`. Default 30, at most 400. */
  maxAgeDays?: number
  /** Client IP: leave it out (default), or keep /24 or /48 of it in `props.ip_prefix`. */
  ip?: 'drop' | 'truncate'
}

export interface AdmitContext {
  app: AppRules
  /** The app's look-up key, 32 bytes; handles are HMACs under it. */
  lookupKey: Buffer
  registry: Registry
  /** When the collector received the request. Milliseconds since 1970. */
  now: number
  /** Random, another for each request: names events that nothing else tells from those of the next request. */
  nonce: string
  /** Peer address; looked at only where the app truncates IPs and the event names none. */
  clientIp?: string
}

/** A person as the client named it; the gate hands on only its handle. */
export interface Person {
  /** HMAC-SHA256(lookupKey, kind ‖ 0x00 ‖ id), 32 bytes; kind is `user` or `anonymous`. */
  handle: Buffer
  /** Links that the person's identify and alias calls assert; both ends are handles of this app. */
  links: Link[]
  /** Never empty. */
  events: DraftEvent[]
  /** Ids of the person's rejected events: the batch key names them too, since a retry's verdict may be another. */
  rejectedIds: readonly string[]
}

export interface Link {
  kind: 'identify' | 'alias'
  from: Buffer
  to: Buffer
  /** Times of the first and the last event of the batch that assert it, milliseconds since 1970. */
  firstTs: number
  lastTs: number
}

export interface Rejected {
  /** Position in the batch. */
  index: number
  code: RejectCode
  /** Name of the definition where one is known, else ''. */
  event: string
  /** Name of the declared property that is wrong or missing, else ''. Never a name that only the client chose. */
  property: string
}

export interface Admitted {
  persons: Person[]
  /** In the order of the batch. */
  rejected: Rejected[]
  /** Dropped fields of accepted events, by code. */
  dropped: Map<DropCode, number>
  /** Events that passed; with `rejected` it adds up to the batch. Repeats of a message id pass but make no second row. */
  accepted: number
  /** What `tokenise` needs to know of the batch. */
  stamp: BatchStamp
}

export interface BatchStamp {
  app: string
  /** Milliseconds since 1970. */
  receivedAt: number
  /** Batch id as sent, '' where absent. */
  batchId: string
}

/**
 * Judges one batch: schema, minimisation, detectors, clock; groups what passes by person. Pure, never throws on any
 * JSON value.
 */
export function admit(batch: ParsedBatch, context: AdmitContext): Admitted {
  const admission = createAdmission(batch, context)
  const { work } = admission
  const rejected: Rejected[] = []
  const dropped = new Map<DropCode, number>()
  // No event can be larger than the body that holds it, so most batches need no measuring.
  const measure = batch.body.length > MAX_EVENT_BYTES
  for (let index = 0; index < batch.events.length; index++) {
    startWork(work)
    const event = batch.events[index]
    const code =
      measure && isLarger(event, MAX_EVENT_BYTES) ? 'event_too_large' : admission.admitEvent(event, index)
    if (code === undefined) settleDrops(work, dropped)
    else {
      rejected.push({ index, code, event: work.draft.event, property: work.property })
      admission.rejectEvent(event, index)
    }
  }
  admission.finish(dropped)
  return {
    persons: admission.persons,
    rejected,
    dropped,
    accepted: batch.events.length - rejected.length,
    stamp: { app: context.app.app, receivedAt: context.now, batchId: batch.batchId },
  }
}
