import type { DraftEvent } from './work.ts'

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
  /**
   * The other handle of the same id: Segment does not say whether the previous id of an alias was a user's or a device's. Where
   * that one may not be linked, this one may not either.
   */
  sameId?: Buffer
  /** Times of the first and the last event of the batch that assert it, milliseconds since 1970. */
  firstTs: number
  lastTs: number
}
