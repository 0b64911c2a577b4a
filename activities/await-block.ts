import { ApplicationFailure } from '@temporalio/common'
import { INSERT_DEADLINE_MS } from '../kafka/cut-metadata.ts'
import type { IngestProgress } from '../kafka/read-ingest-progress.ts'
import { readClosure } from '../postgres/block-subjects.ts'
import { type PrivacyRequest, readRequest, readSealed } from '../postgres/privacy-requests.ts'
import { ACK_TIMEOUT_MS, CLOCK_SLACK_MS } from '../schemas/barrier.ts'
import type { ErasureActivities } from '../schemas/erasure.ts'
import { type BlockDeps, type BlockProgress, closureStart, publishBlock, readClock } from './publish-block.ts'

export interface AwaitBlockDeps extends BlockDeps {
  readIngestProgress(): Promise<IngestProgress[]>
  /** `privacy.leaseMs` of the configuration, the collectors' as well. */
  leaseMs: number
}

const LOOK_AGAIN_MS = 1_000

/**
 * The drain barrier: passes once nobody can store a row of these people any more. It holds no slot of a worker while it
 * waits: it fails with `block_pending` and says when to come again.
 *
 * 1. A collector that does not know of the block lost its lease `leaseMs` after the publication at the latest; what it
 *    had checked by then leaves for Kafka within the ack timeout, or never; and by Postgres's clock it makes nobody.
 * 2. Every ingest partition has committed that it applies the revocations, and the deadline of older cuts is over.
 * 3. Whoever was born, linked or known by a contact until then is in the closure: else the block is published anew, and the wait with it.
 */
export function createAwaitBlock(deps: AwaitBlockDeps): ErasureActivities['awaitBlock'] {
  const readProgress = shareFor(LOOK_AGAIN_MS / 2, deps.readIngestProgress)
  return async ({ requestId }) => {
    const request = await readRequest(deps.postgres, requestId)
    // Before the look: whoever comes after it comes too late to pass the barrier unseen.
    const now = await readClock(deps.postgres)
    let block = request.progress.block as BlockProgress | undefined
    if (!block || (await hasGrown(deps, request))) block = await publishBlock(deps, requestId)
    // Contacts are taken until the request counts as blocked, which is said after the block was published.
    const fromMs = Math.max(block.atMs, request.blockedAt?.getTime() ?? 0)
    const overAt = fromMs + barrierMs(deps.leaseMs)
    if (now < overAt) throw pending('collectors or cuts of before may be under way', overAt - now)
    const { rev } = block
    if (!(await readProgress()).every(({ metadata }) => (metadata?.rev ?? -1) > rev))
      throw pending('a partition has not applied the revocations yet', LOOK_AGAIN_MS)
  }
}

/** From the publication of a block to the last moment at which something of before could still be stored. */
export function barrierMs(leaseMs: number): number {
  return Math.max(leaseMs + ACK_TIMEOUT_MS, INSERT_DEADLINE_MS) + 2 * CLOCK_SLACK_MS
}

async function hasGrown(deps: AwaitBlockDeps, request: PrivacyRequest): Promise<boolean> {
  const sealed = await readSealed(deps, request.requestId)
  const known = new Set(sealed.subjects.map((subject) => subject.subjectId))
  const closure = await readClosure(deps.postgres, await closureStart(deps, request, sealed))
  return closure.some(({ subjectId }) => !known.has(subjectId))
}

function pending(message: string, nextRetryDelay: number): ApplicationFailure {
  const failure = ApplicationFailure.create({
    type: 'block_pending',
    message,
    nextRetryDelay: Math.ceil(nextRetryDelay),
  })
  failure.stack = ''
  return failure
}

/** A thousand sagas that ask at the same time are answered by one look. */
function shareFor(ms: number, read: () => Promise<IngestProgress[]>): () => Promise<IngestProgress[]> {
  let shared: Promise<IngestProgress[]> | undefined
  let at = 0
  return () => {
    if (!shared || performance.now() - at > ms) {
      at = performance.now()
      shared = read()
      shared.catch(() => {
        shared = undefined
      })
    }
    return shared
  }
}
