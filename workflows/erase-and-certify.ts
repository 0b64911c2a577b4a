import { patched } from '@temporalio/workflow'
import { certify } from './certify.ts'
import { repeatUntilGone, unblock, waitBlocked } from './erase-until-gone.ts'
import type { Verifier } from './erasure-activities.ts'
import { releaseEndedHolds } from './hold-fields.ts'
import type { Saga } from './saga.ts'

type Kind = 'certificate' | 'held'

/**
 * Repeats erasure and destruction until the verifier signs: its own last look has the last word. A hold whose date passes
 * meanwhile (a store was away), or that an officer releases, is released here, and what it held is erased with the rest.
 * @returns `held` where something is held still
 */
export async function eraseAndCertify(saga: Saga, verifier: Verifier, asked: Kind): Promise<Kind> {
  const about = [{ requestId: saga.requestId }] as [{ requestId: string }]
  let kind = asked
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
    if (kind === 'held' && isOneReleased(saga) && patched('released-before-certified')) {
      kind = await releaseHolds(saga)
      continue
    }
    const verdict = await certify(saga, verifier, kind)
    if (verdict === 'signed') {
      await unblock(saga)
      return kind
    }
    if (verdict === 'hold_over' && saga.desk.holds.size > 0) {
      kind = await releaseHolds(saga)
      continue
    }
    await waitBlocked(saga, 'verifier', { attempt, survives: true })
  }
}

const isOneReleased = ({ desk }: Saga): boolean => [...desk.holds.values()].some(({ released }) => released)

async function releaseHolds(saga: Saga): Promise<Kind> {
  await releaseEndedHolds(saga)
  return saga.desk.holds.size > 0 ? 'held' : 'certificate'
}
