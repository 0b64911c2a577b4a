import { ActivityFailure, ApplicationFailure } from '@temporalio/common'
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

/** @returns false where the verifier's last look found something. */
export async function certify(
  { requestId, track }: Saga,
  verifier: Verifier,
  kind: 'certificate' | 'partial' | 'closed',
): Promise<boolean> {
  try {
    const made = await track.step(
      `certificate (${kind})`,
      () => verifier.certify.executeWithOptions({ summary: `Sign and log: ${kind}` }, [{ requestId, kind }]),
      ({ logIndex }) => `leaf ${logIndex}`,
    )
    track.status.certificates.push({ kind, ...made })
    return true
  } catch (error) {
    if (isSurvivorsFound(error)) return false
    throw error
  }
}

function isSurvivorsFound(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof ApplicationFailure &&
    (error.cause.type === 'survivors_found' || error.cause.type === 'keys_remain')
  )
}
