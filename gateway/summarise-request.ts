import type { PrivacyRequest } from '../postgres/privacy-requests.ts'
import type { RequestSummary } from '../schemas/privacy-api.ts'

/** The open part of a request as officers see it. */
export function summariseRequest(request: PrivacyRequest): RequestSummary {
  return {
    requestId: request.requestId,
    app: request.app,
    kind: 'erasure',
    state: request.state,
    proof: request.proof,
    receivedAt: request.receivedAt.toISOString(),
    graceUntil: request.graceUntil.toISOString(),
    dueAt: request.dueAt.toISOString(),
    blockedAt: textOf(request.blockedAt),
    certifiedAt: textOf(request.certifiedAt),
    closedAt: textOf(request.closedAt),
    stuckStore: request.stuckStore,
    article: request.article,
  }
}

function textOf(time: Date | null): string | null {
  return time === null ? null : time.toISOString()
}
