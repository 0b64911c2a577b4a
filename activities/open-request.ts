import type { Postgres } from '../postgres/client.ts'
import { readRequest } from '../postgres/privacy-requests.ts'
import type { ErasureActivities } from '../schemas/erasure.ts'

/** What the saga must know of its request: the app and two times. */
export function createOpenRequest(postgres: Postgres): ErasureActivities['openRequest'] {
  return async ({ requestId }) => {
    const { app, graceUntil, dueAt } = await readRequest(postgres, requestId)
    return { app, graceUntilMs: graceUntil.getTime(), dueMs: dueAt.getTime() }
  }
}
