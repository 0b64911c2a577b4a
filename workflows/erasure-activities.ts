import { proxyActivities, proxyLocalActivities, workflowInfo } from '@temporalio/workflow'
import type { ErasureActivities, ErasureBatchActivities, VerifierActivities } from '../schemas/erasure.ts'

/**
 * Time-outs and retries, argued. An erasure goes only forward: whatever it needs will be there again some day, so its
 * activities are retried without end, at most a minute apart, and what an operator must know is said by the deadline's
 * alert and not by a failed workflow. Only the shared batch gives up on a store, so that one store's outage does not
 * hold up the others' work.
 */
const endless = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' } as const

/** Three beats (activities/beat-while.ts): a worker that was killed holds a step, and the batch that all share, up for no longer. */
const heartbeatTimeout = '15s'

/**
 * Steps of one statement or two: they run within the workflow's own task, which costs the server a third of an activity.
 * Per request they are most of the steps, so they decide how many requests a server carries. One at a time in a workflow:
 * whether two ended together or one after the other is not in the history. What an officer says goes by `steps`
 * (tests/int/saga-replay.isolated.test.ts).
 */
export const brief = proxyLocalActivities<
  Pick<ErasureActivities, 'openRequest' | 'acceptEnding' | 'setState' | 'placeHold' | 'enqueue'>
>({ startToCloseTimeout: '20s', localRetryThreshold: '10s', retry: endless })

/** Effects in several engines for one request: seconds; a hung connection is given up after two minutes. */
export const steps = proxyActivities<
  Pick<
    ErasureActivities,
    | 'acceptEnding'
    | 'placeHold'
    | 'noteRelease'
    | 'blockSubjects'
    | 'cancelRequest'
    | 'sealHolds'
    | 'releaseHold'
    | 'writeJournal'
    | 'liftBlock'
    | 'closeRequest'
    | 'withdrawStates'
    | 'raiseErasureAlert'
  >
>({ startToCloseTimeout: '2m', heartbeatTimeout, retry: endless })

/** Asked again and again until every collector and ingest member has passed the block, hence the short interval. */
export const barrier = proxyActivities<Pick<ErasureActivities, 'awaitBlock'>>({
  startToCloseTimeout: '5m',
  heartbeatTimeout,
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '10s' },
})

/** Bookkeeping of the shared batch. */
export const batching = proxyActivities<
  Pick<ErasureBatchActivities, 'claimBatch' | 'planErasure' | 'settleBatch'>
>({ startToCloseTimeout: '5m', heartbeatTimeout, retry: endless })

/**
 * Physical work on one store for up to a thousand people: an hour is an upper bound and not an estimate; the beat tells a
 * dead worker from a slow engine. Five tries span about half a minute: an outage that lasts longer is the
 * store's, and is shown.
 */
export const shared = proxyActivities<
  Pick<ErasureBatchActivities, 'eraseStore' | 'rederiveAggregates' | 'destroySecrets'>
>({
  startToCloseTimeout: '1h',
  heartbeatTimeout,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s', maximumAttempts: 5 },
})

/** The verifier has a worker and a queue of its own. Called within a workflow: the queue's name follows the workflow's. */
export function verifierActivities() {
  return proxyActivities<Omit<VerifierActivities, 'certifyPartial'>>({
    taskQueue: `${workflowInfo().taskQueue}-verifier`,
    startToCloseTimeout: '10m',
    heartbeatTimeout,
    retry: endless,
  })
}
export type Verifier = ReturnType<typeof verifierActivities>

/** Somebody waits for the answer, and who asked at the deadline asks again after the saga's next round: few tries. */
export function partialActivities() {
  return proxyActivities<Pick<VerifierActivities, 'certifyPartial'>>({
    taskQueue: `${workflowInfo().taskQueue}-verifier`,
    scheduleToCloseTimeout: '15m',
    startToCloseTimeout: '10m',
    heartbeatTimeout,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumAttempts: 3 },
  })
}
