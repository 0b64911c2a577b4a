import { CancellationScope, isCancellation, patched, sleep } from '@temporalio/workflow'
import { certifyPartialOnce } from './certify-partial.ts'
import { steps } from './erasure-activities.ts'
import type { Saga } from './saga.ts'

/**
 * Escalates once, at the deadline, and stops nothing. Whoever asked is not left without an answer by then: where a store is out of
 * reach, the rest is certified.
 */
export function watchDeadline(saga: Saga, dueMs: number): CancellationScope {
  const { requestId, track } = saga
  const scope = new CancellationScope()
  scope
    .run(async () => {
      await sleep(Math.max(dueMs - Date.now(), 1), { summary: 'deadline' })
      track.overdue()
      await steps.raiseErasureAlert.executeWithOptions({ summary: 'Alert: overdue' }, [
        { requestId, kind: 'overdue' },
      ])
      if (patched('partial-at-the-deadline')) await certifyPartialOnce(saga)
    })
    .catch((error) => {
      if (!isCancellation(error)) throw error
    })
  return scope
}
