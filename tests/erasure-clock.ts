import { randomUUID } from 'node:crypto'
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client'
import { Worker } from '@temporalio/worker'
import { erasureWorkflowId } from '../schemas/erasure-messages.ts'
import type { eraseBatch, eraseSubject } from '../workflows/index.ts'
import type { Journal } from './call-journal.ts'
import { type ErasureScript, stubErasure } from './stub-erasure.ts'
import type { WorkflowClock } from './workflow-clock.ts'

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

/** The platform's worker and the verifier's over scripted activities while `work` runs; what sagas sleep is skipped. */
export async function withErasureWorkers<T>(
  clock: WorkflowClock,
  script: ErasureScript,
  work: (erasure: ErasureClock) => Promise<T>,
): Promise<T> {
  const { environment, bundle } = clock
  const taskQueue = randomUUID()
  const stubbed = stubErasure(script, {
    now: () => environment.currentTimeMs(),
    tell: (requestId, done) =>
      environment.client.workflow.getHandle(erasureWorkflowId(requestId)).signal('batchDone', done),
  })
  const common = { connection: environment.nativeConnection, identity: 'test' }
  const [worker, verifier] = await Promise.all([
    Worker.create({ ...common, taskQueue, workflowBundle: bundle, activities: stubbed.activities }),
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
