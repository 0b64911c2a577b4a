import { z } from 'zod'
import { ProofOfIdentity, RequestState } from './erasure.ts'
import { REFUSAL_REASONS, type RefusalReason } from './erasure-messages.ts'

/** What the gateway takes and gives beside NewErasure (schemas/erasure.ts). Times are ISO 8601 in UTC. */

export const Role = z.enum(['compliance', 'operator', 'analyst', 'app'])
export type Role = z.infer<typeof Role>

const AppName = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/)
const Time = z.iso.datetime({ precision: 3 })
const Digest = z.string().regex(/^[0-9a-f]{64}$/)
/** As in schemas/erasure-messages.ts. */
const Article = z.string().regex(/^[\p{L}0-9][\p{L}0-9 .,()§/-]{2,99}$/u)
const VaultField = z.string().regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,63}$/)

export const Month = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/)

/** One spelling only: the id is also a workflow's. */
const Id = z.uuid().regex(/^[0-9a-f-]{36}$/)
export const RequestPath = z.strictObject({ id: Id })
export const HoldPath = z.strictObject({ id: Id, hold: Id })

/** Answer to a new request. It says nothing of the person: the same whether anybody knows them or not. */
export const SubmittedRequest = z.strictObject({ requestId: z.uuid(), status: z.string() })

/** Nothing in the body: the path says it all. */
export const EmptyBody = z.strictObject({}).nullish()

export const NewHold = z.strictObject({
  fields: z.array(VaultField).min(1).max(50),
  article: Article,
  until: z.iso.datetime(),
})
export type NewHold = z.infer<typeof NewHold>

export const NewRefusal = z.strictObject({
  article: Article,
  reason: z.enum(Object.keys(REFUSAL_REASONS) as [RefusalReason, ...RefusalReason[]]),
})

export const PlacedHoldAnswer = z.strictObject({ holdId: z.uuid() })
export const Acknowledged = z.strictObject({ requestId: z.uuid(), done: z.string() })

/** A partial certificate, by digest, and what the verifier could not reach. */
export const PartialAnswer = z.strictObject({
  requestId: z.uuid(),
  digest: Digest,
  logIndex: z.number().int(),
  unreachable: z.array(z.string()).min(1),
})

export const CertificateEntry = z.strictObject({
  kind: z.string(),
  digest: Digest,
  logIndex: z.number().int(),
  issuedAt: Time,
  superseded: z.boolean(),
})

export const HoldEntry = z.strictObject({
  holdId: z.uuid(),
  fields: z.array(z.string()),
  article: z.string(),
  until: Time,
  placedAt: Time,
  /** When it ended. */
  releasedAt: Time.nullable(),
  /** It has ended, or an officer released it and it ends with a later step of the saga. */
  released: z.boolean(),
})

export const RequestSummary = z.strictObject({
  requestId: z.uuid(),
  app: AppName,
  kind: z.literal('erasure'),
  state: RequestState,
  proof: ProofOfIdentity,
  receivedAt: Time,
  graceUntil: Time,
  dueAt: Time,
  blockedAt: Time.nullable(),
  certifiedAt: Time.nullable(),
  closedAt: Time.nullable(),
  /** Store that the erasure waits for. */
  stuckStore: z.string().nullable(),
  /** Article of law of a refusal. */
  article: z.string().nullable(),
})
export type RequestSummary = z.infer<typeof RequestSummary>

export const RequestDetail = RequestSummary.extend({
  certificates: z.array(CertificateEntry),
  holds: z.array(HoldEntry),
})
export type RequestDetail = z.infer<typeof RequestDetail>

export const RequestListQuery = z.strictObject({
  state: RequestState.optional(),
  month: Month.optional(),
  before: z.iso.datetime().optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
})
/** `next` is the `before` of the following page; null on the last one. */
export const RequestList = z.strictObject({ requests: z.array(RequestSummary), next: Time.nullable() })

export const CertificateFormat = z.enum(['json', 'proof', 'md', 'html', 'salt'])
export type CertificateFormat = z.infer<typeof CertificateFormat>
export const CertificateQuery = z.strictObject({
  format: CertificateFormat.default('json'),
  /** Which one; default: the newest that is not withdrawn. */
  digest: Digest.optional(),
})

export const ReportQuery = z.strictObject({ month: Month })

/** `ebb report gdpr` and `GET /v1/privacy/report`: of requests that came in the month, except where it says otherwise. */
export const GdprMonth = z.strictObject({
  month: Month,
  /** null: all of them. */
  apps: z.array(AppName).nullable(),
  received: z.number().int(),
  /** Has a certificate, or was refused or cancelled. */
  processed: z.number().int(),
  pending: z.number().int(),
  /** Of those that are pending: have a partial certificate, which names stores that were not reached. */
  partial: z.number().int(),
  overdue: z.number().int(),
  /** Came before the month and had no answer when it began. */
  carriedOver: z.number().int(),
  states: z.array(z.strictObject({ kind: z.string(), state: RequestState, requests: z.number().int() })),
  /** From the request to its first certificate or its refusal; null when none was processed. */
  averageProcessingMs: z.number().nullable(),
  worstProcessingMs: z.number().nullable(),
  /** Subjects (a person's linked ids) of the certified requests. */
  erasedSubjects: z.number().int(),
  /** Issued in the month, whenever the request came. */
  certificates: z.array(CertificateEntry.extend({ requestId: z.uuid() })),
  /** Of the month, by article. */
  refusals: z.array(z.strictObject({ article: z.string(), requests: z.number().int() })),
})
export type GdprMonth = z.infer<typeof GdprMonth>

export const ApiError = z.strictObject({ code: z.string(), message: z.string() })
