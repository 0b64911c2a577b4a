import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client'
import type { TransactingPostgres } from '../postgres/client.ts'
import { takeLateLinks } from '../postgres/late-links.ts'
import { listRequests, type SubmitDeps, submitHandle } from '../postgres/privacy-requests.ts'
import type { FollowUpActivities } from '../schemas/erasure.ts'
import { erasureStart } from '../schemas/erasure-messages.ts'
import { barrierMs } from './await-block.ts'

export interface FollowUpDeps extends SubmitDeps {
  postgres: TransactingPostgres
  client: Client
  taskQueue: string
  /** `privacy.leaseMs` of the configuration. */
  leaseMs: number
}

/** Late links that are taken at a time; a client that sends more waits for the next round. */
const MAX_LINKS = 100
const MAX_STARTS = 1_000
/** A request that has not moved for so long was perhaps never started. */
const PATIENCE_MS = 30_000

/**
 * What nobody would ask for again: an id that a late link gave to an erased person is erased like the others, and a request
 * whose start was lost is started. Starting one that runs changes nothing.
 */
export function createFollowUpErasures(deps: FollowUpDeps): FollowUpActivities['followUpErasures'] {
  return async () => {
    const late = await deps.postgres.transaction(async (within) => {
      const links = await takeLateLinks(within, { olderThanMs: barrierMs(deps.leaseMs), max: MAX_LINKS })
      const ids: string[] = []
      for (const link of links) ids.push(await submitHandle(within, deps, link))
      return ids
    })
    const forgotten = await listRequests(deps.postgres, {
      states: ['received'],
      before: new Date(deps.now() - PATIENCE_MS),
      limit: MAX_STARTS,
    })
    const waiting = [...late, ...forgotten.map((request) => request.requestId)]
    for (const requestId of waiting) await startErasure(deps, requestId)
    return { late: late.length, started: waiting.length }
  }
}

async function startErasure({ client, taskQueue }: FollowUpDeps, requestId: string): Promise<void> {
  try {
    await client.workflow.start('eraseSubject', erasureStart(requestId, taskQueue))
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
  }
}
