import { z } from 'zod'
import { IdentifierLabel } from './certificate.ts'
import type { PlacedHold } from './erasure-messages.ts'

/**
 * What passes between the erasure workflows, their activities and the verifier. All of it is kept in workflow
 * histories, which anyone with the Temporal UI can read: ids of requests, batches and holds, names of stores, counts and
 * times. Tokens, handles and identifiers stay in the request's sealed row (postgres/privacy-requests.ts).
 */

/** States of a request, in order; `refused` and `cancelled` end it early, `held` and `stuck` wait for people or an engine. */
export const RequestState = z.enum([
  'received',
  'blocked',
  'erasing',
  'verifying',
  'stuck',
  'held',
  'certified',
  'closed',
  'cancelled',
  'refused',
])
export type RequestState = z.infer<typeof RequestState>

/** How the person's identity was proven to the officer or the app. Kept with the request; nothing of the proof itself is. */
export const ProofOfIdentity = z.enum([
  'account-session',
  'email-code',
  'document-seen',
  'guardian-consent',
  'court-order',
])
export type ProofOfIdentity = z.infer<typeof ProofOfIdentity>

/** An identifier under which an app knows a person. */
export const PersonIdentifier = z.strictObject({
  label: IdentifierLabel,
  value: z.string().min(1).max(256),
})
export type PersonIdentifier = z.infer<typeof PersonIdentifier>

/** Body of `POST /v1/privacy/requests`, and what `ebb erase` builds. */
export const NewErasure = z.strictObject({
  app: z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/),
  identifiers: z.array(PersonIdentifier).min(1).max(20),
  proof: ProofOfIdentity,
})
export type NewErasure = z.infer<typeof NewErasure>

/** A place whose data die of age: what it is, and when it is gone at the latest (milliseconds since 1970). */
export interface ErasureHorizon {
  store: string
  what: string
  expiresByMs: number
}

/** One subject of the closure, as the sealed row holds it. */
export interface ErasedSubject {
  subjectId: string
  /** 32 bytes in hex. */
  handle: string
  /** 16 bytes in hex. */
  token: string
}

/**
 * What the saga has to know about the person until the request is closed; sealed under the request key.
 * `handles` also has those that no subject bears (an id the app never sent): they are blocked like the others.
 */
export interface SealedErasure {
  identifiers: PersonIdentifier[]
  handles: string[]
  /** The eraser's closure, known once the block is in force. */
  subjects: ErasedSubject[]
  /** Salt of the commitments, 32 bytes in hex; forgotten once the requester has it. */
  salt: string
}

export type ErasureStage = 'erase' | 'destroy'

/** What one store's eraser did for all requests of a batch; evidence names parts, mutations, objects, never a person. */
export interface StoreReceipt {
  store: string
  outcome: 'erased' | 'retained' | 'unreachable'
  method: 'deleted' | 'rewritten' | 'key-destroyed' | 'expired' | 'nothing-held'
  atMs: number
  /** Public names: mutation ids, part names, object versions. 200 at most. */
  ids: string[]
  /** SHA-256 over the whole evidence, hex. */
  evidenceHash: string
}

/** A legal hold as the saga knows it. */
export interface KnownHold {
  holdId: string
  /** Milliseconds since 1970. */
  untilMs: number
  released: boolean
}

/** How a request ends, or has ended. */
export interface RequestEnding {
  outcome: 'closed' | 'cancelled' | 'refused'
  /** Of a refusal. */
  article?: string
}

/** How an officer ends a request, while nothing is destroyed. `reason`: see REFUSAL_REASONS. */
export type AcceptedEnding =
  | { outcome: 'cancelled' }
  | { outcome: 'refused'; article: string; reason: string }

/** What the saga has to know of its request. */
export interface OpenedRequest {
  app: string
  /** End of the grace window; the saga goes on after it. Milliseconds since 1970. */
  graceUntilMs: number
  /** When operators are alerted that a request is late. */
  dueMs: number
  /** Of earlier runs of the saga, which somebody terminated; released ones too. Older histories do not have them. */
  holds?: KnownHold[]
  /** Whether an earlier run has begun the journal: something may be destroyed, and nothing can be taken back. */
  onlyForward?: boolean
  /** An earlier run had begun to forget the request, and none of its other steps can be gone through again. */
  ending?: RequestEnding
  /** What an officer was told is accepted, and an earlier run has not carried out. */
  accepted?: AcceptedEnding
}

/** Activities of the eraser, on the platform's task queue. Each may be repeated safely. */
export interface ErasureActivities {
  openRequest(input: { requestId: string }): Promise<OpenedRequest>
  /**
   * Closure, marks in Postgres, `subject_states` and `revocations` published. Repeats add what was linked since. Of how many it is
   * no history tells: none would mean that nobody is known by the name.
   */
  blockSubjects(input: { requestId: string }): Promise<void>
  /** Keeps an officer's word beyond this run of the saga. @returns the ending that stands: of two, the first; null past the journal */
  acceptEnding(input: {
    requestId: string
    ending: AcceptedEnding
  }): Promise<{ stands: AcceptedEnding | null }>
  /** Passes once no collector and no ingest member can store a row of these people. `block_pending` until then. */
  awaitBlock(input: { requestId: string }): Promise<void>
  /** Grace was used, or the request refused: block marks go, `subject_states` are withdrawn, and the request ends. */
  cancelRequest(input: {
    requestId: string
    outcome: 'cancelled' | 'refused'
    article?: string
  }): Promise<void>
  setState(input: { requestId: string; state: RequestState; store?: string }): Promise<void>
  placeHold(input: PlacedHold & { requestId: string }): Promise<void>
  /** Seals legally held fields under a key of the hold; what is held is left out of `enqueue`'s erasure of the vault copy. */
  sealHolds(input: { requestId: string }): Promise<{ holds: { holdId: string; untilMs: number }[] }>
  /** Keeps an officer's release beyond this run of the saga; what it releases is ended by `releaseHold`. */
  noteRelease(input: { requestId: string; holdId: string }): Promise<void>
  releaseHold(input: { holdId: string }): Promise<void>
  /** Before anything is destroyed: what a restore must erase again. */
  writeJournal(input: { requestId: string }): Promise<void>
  /** Puts the request in line for the next shared batch and wakes the batch workflow. */
  enqueue(input: { requestId: string; stage: ErasureStage }): Promise<void>
  /** Certificate 1 is out: the block becomes a cutoff in time, so that a person who returns is a new subject. */
  liftBlock(input: { requestId: string }): Promise<void>
  /** Journal entry, cutoff states and the request key go; called when every horizon has been found gone. */
  closeRequest(input: { requestId: string }): Promise<void>
  /**
   * What was kept against late batches goes: cutoff states, and the tokens under which nothing was to be stored. Asked for when
   * every copy has aged; the withdrawn records leave Kafka's disk afterwards, and `closed` waits for that as well.
   */
  withdrawStates(input: { requestId: string }): Promise<void>
  raiseErasureAlert(input: {
    requestId: string
    kind: 'overdue' | 'survivors' | 'store'
    store?: string
  }): Promise<void>
}

/** Activities of the shared batch, on the platform's task queue. */
export interface ErasureBatchActivities {
  /** Takes up to `max` waiting requests of a stage under one batch id; the same batch again when its worker died. */
  claimBatch(input: {
    stage: ErasureStage
    max: number
  }): Promise<{ batchId: string; requests: number } | null>
  /** Names of the stores that the data map says hold people, in the order they can be erased side by side. */
  planErasure(): Promise<{ stores: string[]; dataMap: string }>
  eraseStore(input: { batchId: string; store: string }): Promise<{ outcome: StoreReceipt['outcome'] }>
  /** Aggregates of the days that the erased rows touched are counted again from raw. */
  rederiveAggregates(input: { batchId: string }): Promise<void>
  /** Rewraps the shards of the batch's secrets and destroys the old shard keys. */
  destroySecrets(input: { batchId: string }): Promise<void>
  /** Tells each saga of the batch that its stage is done, and which stores could not be reached. */
  settleBatch(input: { batchId: string; blocked: string[] }): Promise<void>
}

/** Of the small workflow that looks after what nobody asks for. */
export interface FollowUpActivities {
  /** Ids that late links gave to erased people get requests of their own; requests whose saga was never started are started. */
  followUpErasures(): Promise<{ late: number; started: number }>
}

export interface Survivors {
  /** Rows, objects or keys found, by store; empty when nothing is left. */
  found: { store: string; count: number }[]
}

export interface PartialCertificate {
  digest: string
  logIndex: number
  /** Stores that the verifier could not reach. */
  unreachable: string[]
}

/** Activities of the verifier: its own process, task queue (`<queue>-verifier`), credentials and queries. */
export interface VerifierActivities {
  /** Appends the "request received" leaf. */
  logReceived(input: { requestId: string }): Promise<{ logIndex: number }>
  /** The verifier's own closure, taken before anything is erased. It says no number either. */
  observeClosure(input: { requestId: string }): Promise<void>
  /** A certificate that stands and calls a store erased in which something is found is withdrawn at once. */
  verifyAbsence(input: { requestId: string }): Promise<Survivors>
  verifyKeysGone(input: { requestId: string }): Promise<Survivors>
  /**
   * Signs and logs. Refuses with `survivors_found` or `keys_remain` unless its own last look found nothing; with `hold_over` while
   * something is held past its day. Asked again, it gives the same one, unless that names as held what is released.
   * @param input.kind `held`: a certificate that names what is held
   */
  certify(input: {
    requestId: string
    kind: 'certificate' | 'held' | 'closed'
  }): Promise<{ digest: string; logIndex: number }>
  /**
   * While a store is out of reach: looks into all the others itself, then signs and logs what is erased and what was not reached.
   * Refuses with a code of PARTIAL_REFUSALS. Asked again, it gives the same one while the same stores are out of reach.
   */
  certifyPartial(input: { requestId: string }): Promise<PartialCertificate>
  refuse(input: {
    requestId: string
    article: string
    reason: string
  }): Promise<{ digest: string; logIndex: number }>
  verifyHorizons(input: { requestId: string }): Promise<{ pending: ErasureHorizon[] }>
  /** Withdraws the newest certificate of the request. */
  supersede(input: {
    requestId: string
    reason: 'survivor-found' | 'hold-released' | 'issued-in-error'
  }): Promise<{ logIndex: number }>
}

export interface EraseSubjectInput {
  requestId: string
}

export interface EraseSubjectResult {
  requestId: string
  state: RequestState
  /** Log index of the last certificate. */
  logIndex: number | null
}

/** Answer of the `status` query of `erasure/<request id>`. */
export interface ErasureStatus {
  state: RequestState
  stage: string
  blockedStore: string | null
  /** Whether that store gave no answer, as against keeping something. */
  unreachable: boolean
  dueMs: number
  done: { stage: string; outcome: string }[]
  certificates: { kind: string; digest: string; logIndex: number }[]
}

export type ErasureErrorCode =
  | 'request_unknown'
  | 'block_pending'
  | 'survivors_found'
  | 'keys_remain'
  | 'hold_over'
  | 'store_answers'
  | 'already_certified'
  | 'batch_unknown'
  | 'rows_remain'
  | 'parts_remain'
  | 'hold_not_granted'
  | 'journal_failed'
  | 'log_forked'
