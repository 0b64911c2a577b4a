import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow'
import type { Saga } from './erase-until-gone.ts'
import { steps } from './erasure-activities.ts'

/** Escalates once, at the deadline, and stops nothing. */
export function watchDeadline({ requestId, track }: Saga, dueMs: number): CancellationScope {
  const scope = new CancellationScope()
  scope
    .run(async () => {
      await sleep(Math.max(dueMs - Date.now(), 1), { summary: 'deadline' })
      track.overdue()
      await steps.raiseErasureAlert.executeWithOptions({ summary: 'Alert: overdue' }, [
        { requestId, kind: 'overdue' },
      ])
    })
    .catch((error) => {
      if (!isCancellation(error)) throw error
    })
  return scope
}
