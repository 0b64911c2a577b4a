import { WORKFLOW_DETAILS } from './workflow-details.ts'

/**
 * What people and other workflows say to a running erasure: names of its Updates, Signals and Queries, and the shape of
 * each. All of it is kept in the history, so nothing here may name a person: grounds and reasons are from lists or are
 * articles of law, fields are names of columns of the vault.
 */

/** `erasure/<request id>`: one saga a request, so that a second start joins the first. */
export function erasureWorkflowId(requestId: string): string {
  return `erasure/${requestId}`
}

/** How a saga is started, whoever does it: a running one is joined, one that somebody terminated begins again, an ended one stays so. */
export function erasureStart(requestId: string, taskQueue: string) {
  return {
    taskQueue,
    workflowId: erasureWorkflowId(requestId),
    args: [{ requestId }] as [{ requestId: string }],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    staticSummary: `Erasure ${requestId}`,
    staticDetails: WORKFLOW_DETAILS.eraseSubject,
  } as const
}

export const ERASURE_MESSAGES = {
  /** Update: ends the request while nothing is destroyed yet. */
  cancel: 'cancel',
  /** Update: refuses the request, signed and logged, while nothing is destroyed yet. */
  refuse: 'refuse',
  /** Update: keeps fields back; before anything is destroyed. @returns the hold's id. */
  placeHold: 'placeHold',
  /** Update: ends a hold before its time. */
  releaseHold: 'releaseHold',
  /** Update: tries the store again that the saga is stuck on. */
  retryStore: 'retryStore',
  /** Update: a signed partial certificate, while a store is out of reach. @returns PartialCertificate. */
  certifyPartial: 'certifyPartial',
  /** Signal of the shared batch. */
  batchDone: 'batchDone',
  /** Signal to the batch workflow that somebody waits. */
  wake: 'wake',
  /** Query. */
  status: 'status',
} as const

/** Grounds on which a request can be refused, with the text that the signed refusal gives. */
export const REFUSAL_REASONS = {
  'identity-not-proven': 'The identity of the person who asked could not be proven.',
  'manifestly-unfounded': 'The request is manifestly unfounded or excessive.',
  'legal-obligation': 'The law obliges us to keep these data.',
  'legal-claims': 'The data are needed to establish, exercise or defend legal claims.',
  'public-interest': 'The data are kept in the public interest, as the law allows.',
  'freedom-of-expression': 'Erasure would prejudice the right of freedom of expression and information.',
} as const
export type RefusalReason = keyof typeof REFUSAL_REASONS

/** Why the verifier signs no partial certificate. */
export const PARTIAL_REFUSALS = {
  store_answers: 'what the erasers gave up answers the verifier: retry it first',
  survivors_found: 'the verifier found something of the person in a store that answers',
  evidence_missing: 'the verifier has no receipt that it could believe of a store that answers',
  hold_over: 'a hold is over, and what it held is not erased yet',
  already_certified: 'every store was reached, and certified',
} as const

/** `store_answers`, of one store among several: another may be out of reach still. */
export function thisStoreAnswers(store: string): string {
  return `${store}, which the erasers gave up, answers the verifier: retry it first`
}

/** Whether a partial certificate can be asked for: the verifier leaves out a store that is away, and does nothing without the keyring. */
export function canAskForPartial(saga: { blockedStore: string | null; unreachable: boolean }): boolean {
  return saga.unreachable && saga.blockedStore !== 'keyring'
}

export interface Refusal {
  /** `GDPR Art. 12(6)`. */
  article: string
  reason: RefusalReason
}

export interface HoldWish {
  /** Names of vault fields. */
  fields: string[]
  /** `GDPR Art. 17(3)(e)`. */
  article: string
  /** Milliseconds since 1970. */
  untilMs: number
  /** Name of the officer's token or operating-system user. */
  placedBy: string
}

export interface PlacedHold extends HoldWish {
  holdId: string
}

export interface BatchDone {
  stage: 'erase' | 'destroy'
  /** Stores that could not be reached. */
  blocked: string[]
}

export interface WakeBatch {
  stage: 'erase' | 'destroy'
}

export interface EraseBatchInput {
  /** How long the first in line waits for company. Milliseconds. */
  batchMs: number
  /** Stages that somebody waits for already. */
  waiting?: ('erase' | 'destroy')[]
}

const ARTICLE = /^[\p{L}0-9][\p{L}0-9 .,()§/-]{2,99}$/u
const FIELD = /^[a-zA-Z][a-zA-Z0-9_.-]{0,63}$/
/** Ten years: a longer hold is a retention rule and belongs elsewhere. */
const MAX_HOLD_MS = 10 * 366 * 86_400_000

/** @returns what is wrong with a refusal, or undefined. */
export function faultOfRefusal(wish: Refusal): string | undefined {
  if (!ARTICLE.test(String(wish?.article))) return 'a refusal names its article of law'
  if (!Object.hasOwn(REFUSAL_REASONS, String(wish.reason))) {
    return `a refusal gives one of these reasons: ${Object.keys(REFUSAL_REASONS).join(', ')}`
  }
  return undefined
}

/** @returns what is wrong with a hold, or undefined. */
export function faultOfHold(wish: HoldWish, nowMs: number): string | undefined {
  if (!Array.isArray(wish?.fields) || wish.fields.length === 0 || wish.fields.length > 50) {
    return 'a hold names 1 to 50 fields of the vault'
  }
  if (!wish.fields.every((field) => FIELD.test(String(field)))) return 'a field is no name of a vault field'
  if (!ARTICLE.test(String(wish.article))) return 'a hold names its article of law'
  if (!Number.isSafeInteger(wish.untilMs) || wish.untilMs <= nowMs) return 'a hold ends in the future'
  if (wish.untilMs > nowMs + MAX_HOLD_MS) return 'a hold ends within ten years'
  if (typeof wish.placedBy !== 'string' || wish.placedBy === '') return 'a hold names who placed it'
  return undefined
}
