import type { Registry } from '../schemas/registry.ts'
import type { DropCode, RejectCode } from '../schemas/reject-code.ts'
import type { ParsedBatch } from './read-batch.ts'

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
  /** Peer address; looked at only where the app truncates IPs. */
  clientIp?: string
}

/** A person as the client named it; the gate hands on only its handle. */
export interface Person {
  /** HMAC-SHA256(lookupKey, kind ‖ 0x00 ‖ id), 32 bytes. */
  handle: Buffer
  /** Links that the person's identify and alias calls assert; both ends are handles of this app. */
  links: Link[]
  /** Never empty. */
  events: DraftEvent[]
}

export interface Link {
  kind: 'identify' | 'alias'
  from: Buffer
  to: Buffer
}

/** An event that passed, minimised, not yet tokenised: it still holds joinable ids, so it must not leave the process. */
export interface DraftEvent {
  /** Event name of the registry. */
  event: string
  /** Corrected and clamped, milliseconds since 1970. */
  ts: number
  /** Joinable ids as sent; '' where absent. */
  session: string
  device: string
  messageId: string
  orderId: string
  path: string
  element: string
  product: string
  /** 1/10,000 of the currency's unit, an integer within ±9e15. */
  revenue: number
  currency: string
  /** JSON object text, '{}' where empty. */
  props: string
  /** Declared properties of type `id` without a column of their own: name and value, hashed by tokenise. */
  ids: readonly { name: string; value: string }[] | undefined
}

export interface Admitted {
  persons: Person[]
  /** In the order of the batch. `event` is the definition's name where one is known, else ''. */
  rejected: { index: number; code: RejectCode; event: string }[]
  /** Dropped fields by code. */
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
export function admit(_batch: ParsedBatch, _context: AdmitContext): Admitted {
  throw new Error('to come')
}
