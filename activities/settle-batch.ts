import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import type { TransactingPostgres } from '../postgres/client.ts'
import {
  claimBatch,
  finishBatch,
  noteUnreachable,
  type QueuedBatch,
  readBatch,
} from '../postgres/erasure-queue.ts'
import { EbbError } from '../runtime/errors.ts'
import { inLanes } from '../runtime/in-lanes.ts'
import type { ErasureBatchActivities } from '../schemas/erasure.ts'
import { type BatchDone, ERASURE_MESSAGES, erasureWorkflowId } from '../schemas/erasure-messages.ts'
import { beatWhile } from './beat-while.ts'

/** Signals under way at a time. */
const LANES = 20

export function createClaimBatch(postgres: TransactingPostgres): ErasureBatchActivities['claimBatch'] {
  return async ({ stage, max }) => {
    const batch = await claimBatch(postgres, stage, max)
    return batch && { batchId: batch.batchId, requests: batch.requestIds.length }
  }
}

/** Tells every saga of the batch, then marks the batch as done; a repeat tells some of them twice, which they bear. */
export function createSettleBatch(
  postgres: TransactingPostgres,
  client: Client,
): ErasureBatchActivities['settleBatch'] {
  return async ({ batchId, blocked }) => {
    const batch = await requireBatch(postgres, batchId)
    // Before anybody is told: whoever asks for a partial certificate then finds since when.
    await noteUnreachable(postgres, batchId, blocked)
    await beatWhile(() => tellAll(client, batch, { stage: batch.stage, blocked }))
    await finishBatch(postgres, batchId)
  }
}

/** @throws EbbError `batch_unknown` */
export async function requireBatch(postgres: TransactingPostgres, batchId: string): Promise<QueuedBatch> {
  const batch = await readBatch(postgres, batchId)
  if (!batch) throw new EbbError('batch_unknown', 'no batch of this id')
  return batch
}

async function tellAll(client: Client, batch: QueuedBatch, done: BatchDone): Promise<void> {
  await inLanes(batch.requestIds, LANES, (requestId) =>
    client.workflow
      .getHandle(erasureWorkflowId(requestId))
      .signal(ERASURE_MESSAGES.batchDone, done)
      .catch((error) => {
        // An operator ended the saga: `ebb erase retry` starts it again, and it stands in line anew.
        if (!(error instanceof WorkflowNotFoundError)) throw error
      }),
  )
}
