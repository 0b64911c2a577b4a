import type { Postgres } from '../postgres/client.ts'
import { isForgotten } from '../postgres/close-request.ts'
import { listHolds } from '../postgres/list-holds.ts'
import { type PrivacyRequest, readRequest } from '../postgres/privacy-requests.ts'
import type { AcceptedEnding, ErasureActivities, RequestEnding } from '../schemas/erasure.ts'

/** What the saga must know of its request: the app, two times, and what an earlier run of it was told and has begun. */
export function createOpenRequest(postgres: Postgres): ErasureActivities['openRequest'] {
  return async ({ requestId }) => {
    const request = await readRequest(postgres, requestId)
    const { app, state, graceUntil, dueAt, progress } = request
    const holds = (await listHolds(postgres, requestId)).map(({ holdId, until, released }) => ({
      holdId,
      untilMs: until.getTime(),
      released,
    }))
    const ending = await findEnding(postgres, request)
    const onlyForward = ending !== undefined || (state !== 'received' && state !== 'blocked')
    const times = { graceUntilMs: graceUntil.getTime(), dueMs: dueAt.getTime() }
    const accepted = progress.accepted as AcceptedEnding | undefined
    return { app, ...times, holds, onlyForward, ...(ending && { ending }), ...(accepted && { accepted }) }
  }
}

/** How an earlier run had begun to end the request: noted before an early end, and plain from the row after the certificates. */
async function findEnding(
  postgres: Postgres,
  { requestId, state, article, certifiedAt, progress }: PrivacyRequest,
): Promise<RequestEnding | undefined> {
  if (progress.ending) return progress.ending as RequestEnding
  if (!(await isForgotten(postgres, requestId))) return undefined
  if (certifiedAt) return { outcome: 'closed' }
  return state === 'refused' ? { outcome: state, article: article! } : { outcome: 'cancelled' }
}
