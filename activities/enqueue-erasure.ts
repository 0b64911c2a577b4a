import type { Client } from '@temporalio/client'
import type { Postgres } from '../postgres/client.ts'
import { enqueueRequests } from '../postgres/erasure-queue.ts'
import type { ErasureActivities, ErasureStage } from '../schemas/erasure.ts'
import { ERASURE_MESSAGES, type EraseBatchInput, type WakeBatch } from '../schemas/erasure-messages.ts'
import { WORKFLOW_DETAILS } from '../schemas/workflow-details.ts'
import { gatherCalls } from './gather-calls.ts'

export interface BatchStart {
  client: Client
  taskQueue: string
  /** Of `erase-batch`. */
  workflowId: string
  /** Milliseconds. */
  batchMs: number
}

/** Long enough to gather sagas that were told at the same moment, short beside any batch. */
const WINDOW_MS = 50
/** Sagas reach the line one by one: each wake is a signal and a task of the batch, which waits seconds for company anyway. */
const REST_MS = 1_000

/**
 * Puts requests in line and wakes the batch workflow, which starts if it is not there. The rows come first: whoever is
 * woken finds them.
 */
export function createEnqueue(postgres: Postgres, batch: BatchStart): ErasureActivities['enqueue'] {
  const lines = new Map<ErasureStage, (requestId: string) => Promise<void>>()
  for (const stage of ['erase', 'destroy'] as const) {
    const join = gatherCalls<string>(
      WINDOW_MS,
      async (requestIds) => {
        await enqueueRequests(postgres, requestIds, stage)
        await wakeBatch(batch, { stage })
      },
      REST_MS,
    )
    lines.set(stage, join)
  }
  return ({ requestId, stage }) => lines.get(stage)!(requestId)
}

async function wakeBatch(batch: BatchStart, wake: WakeBatch): Promise<void> {
  const input: EraseBatchInput = { batchMs: batch.batchMs }
  await batch.client.workflow.signalWithStart('eraseBatch', {
    taskQueue: batch.taskQueue,
    workflowId: batch.workflowId,
    args: [input],
    signal: ERASURE_MESSAGES.wake,
    signalArgs: [wake],
    staticSummary: 'Shared physical erasure',
    staticDetails: WORKFLOW_DETAILS.eraseBatch,
  })
}
