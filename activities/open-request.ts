import type { Postgres } from '../postgres/client.ts'
import { listHolds } from '../postgres/list-holds.ts'
import { readRequest } from '../postgres/privacy-requests.ts'
import type { ErasureActivities } from '../schemas/erasure.ts'

/** What the saga must know of its request: the app, two times, and what an earlier run of it was told and has begun. */
export function createOpenRequest(postgres: Postgres): ErasureActivities['openRequest'] {
  return async ({ requestId }) => {
    const { app, state, graceUntil, dueAt } = await readRequest(postgres, requestId)
    const holds = (await listHolds(postgres, requestId)).map(({ holdId, until, releasedAt }) => ({
      holdId,
      untilMs: until.getTime(),
      released: releasedAt !== null,
    }))
    const onlyForward = state !== 'received' && state !== 'blocked'
    return { app, graceUntilMs: graceUntil.getTime(), dueMs: dueAt.getTime(), holds, onlyForward }
  }
}
