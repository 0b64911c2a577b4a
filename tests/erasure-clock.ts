import { randomUUID } from 'node:crypto'
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client'
import { Worker } from '@temporalio/worker'
import { erasureWorkflowId } from '../schemas/erasure-messages.ts'
import type { eraseBatch, eraseSubject } from '../workflows/index.ts'
import type { Journal } from './call-journal.ts'
import { type ErasureScript, type StubbedErasure, stubErasure } from './stub-erasure.ts'
import { IN_OUR_THREAD, type WorkflowClock } from './workflow-clock.ts'

export type SagaHandle = WorkflowHandleWithFirstExecutionRunId<typeof eraseSubject>

export interface ErasureClock {
  taskQueue: string
  journal: Journal
  /** Starts the saga of a new request. */
  startSaga(requestId?: string): Promise<SagaHandle>
  startBatch(
    batchMs: number,
    waiting: ('erase' | 'destroy')[],
  ): Promise<WorkflowHandleWithFirstExecutionRunId<typeof eraseBatch>>
}

type Activities = StubbedErasure['activities']

/**
 * The platform's worker and the verifier's over scripted activities while `work` runs; what sagas sleep is skipped where the
 * environment's server can. @param alter puts others in the place of scripted activities
 */
export async function withErasureWorkers<T>(
  { environment, bundle }: Pick<WorkflowClock, 'environment' | 'bundle'>,
  script: ErasureScript,
  work: (erasure: ErasureClock) => Promise<T>,
  alter: (activities: Activities) => Activities = (activities) => activities,
): Promise<T> {
  const taskQueue = randomUUID()
  const stubbed = stubErasure(script, {
    now: () => environment.currentTimeMs(),
    tell: (requestId, done) =>
      environment.client.workflow.getHandle(erasureWorkflowId(requestId)).signal('batchDone', done),
  })
  const common = { ...IN_OUR_THREAD, connection: environment.nativeConnection, identity: 'test' }
  const [worker, verifier] = await Promise.all([
    Worker.create({ ...common, taskQueue, workflowBundle: bundle, activities: alter(stubbed.activities) }),
    Worker.create({ ...common, taskQueue: `${taskQueue}-verifier`, activities: stubbed.verifier }),
  ])
  const erasure: ErasureClock = {
    taskQueue,
    journal: stubbed.journal,
    startSaga: (requestId = randomUUID()) =>
      environment.client.workflow.start<typeof eraseSubject>('eraseSubject', {
        taskQueue,
        workflowId: erasureWorkflowId(requestId),
        args: [{ requestId }],
      }),
    startBatch: (batchMs, waiting) =>
      environment.client.workflow.start<typeof eraseBatch>('eraseBatch', {
        taskQueue,
        workflowId: randomUUID(),
        args: [{ batchMs, waiting }],
      }),
  }
  return await worker.runUntil(verifier.runUntil(work(erasure)))
}
