import { sleep } from '@temporalio/workflow'
import { pauseAfter } from './erase-until-gone.ts'
import { steps, type Verifier } from './erasure-activities.ts'
import type { Saga } from './saga.ts'

/** A copy that outlives its date by so much is nobody's rounding: an operator is told. */
const LATE_MS = 3_600_000

/**
 * Sleeps until each copy that dies of age has reached its date, and goes on when the verifier has found all of them gone.
 * One that is still there after its date is looked for again with a growing pause.
 */
export async function awaitHorizons({ requestId, track }: Saga, verifier: Verifier): Promise<void> {
  const told = new Set<string>()
  for (let overdue = 0; ; ) {
    const { pending } = await verifier.verifyHorizons.executeWithOptions(
      { summary: 'Which copies are still there?' },
      [{ requestId }],
    )
    const next = pending.reduce(
      (first, one) => (one.expiresByMs < first.expiresByMs ? one : first),
      pending[0]!,
    )
    if (!next) return
    const waitMs = next.expiresByMs - Date.now()
    if (waitMs > 0) overdue = 0
    if (waitMs <= -LATE_MS && !told.has(next.store)) {
      told.add(next.store)
      await steps.raiseErasureAlert.executeWithOptions(
        { summary: `Alert: ${next.store} outlives its date` },
        [{ requestId, kind: 'store', store: next.store }],
      )
    }
    track.say(`waiting for ${next.store} to expire, ${pending.length} to go`)
    await sleep(waitMs > 0 ? waitMs : pauseAfter(overdue++), { summary: `${next.what} in ${next.store}` })
  }
}
