import { certify } from './certify.ts'
import { repeatUntilGone, type Saga, unblock, waitBlocked } from './erase-until-gone.ts'
import type { Verifier } from './erasure-activities.ts'

/** Repeats erasure and destruction until the verifier signs: its own last look has the last word. */
export async function eraseAndCertify(
  saga: Saga,
  verifier: Verifier,
  kind: 'certificate' | 'partial',
): Promise<void> {
  const about = [{ requestId: saga.requestId }] as [{ requestId: string }]
  for (let attempt = 0; ; attempt++) {
    await repeatUntilGone(saga, 'erase', () =>
      saga.track.step(
        'verifying absence',
        () => verifier.verifyAbsence.executeWithOptions({ summary: 'Is anything left?' }, about),
        ({ found }) => (found.length === 0 ? 'nothing is left' : `left in ${found.length} stores`),
      ),
    )
    await repeatUntilGone(saga, 'destroy', () =>
      saga.track.step(
        'verifying that the keys are gone',
        () => verifier.verifyKeysGone.executeWithOptions({ summary: 'Does any key still open?' }, about),
        ({ found }) => (found.length === 0 ? 'gone' : 'a key is left'),
      ),
    )
    if (await certify(saga, verifier, kind)) return await unblock(saga)
    await waitBlocked(saga, 'verifier', { attempt, survives: true })
  }
}
