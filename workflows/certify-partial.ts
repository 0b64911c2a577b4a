import { ActivityFailure, ApplicationFailure } from '@temporalio/common'
import { CancellationScope, condition, patched } from '@temporalio/workflow'
import type { PartialCertificate } from '../schemas/erasure.ts'
import { canAskForPartial, PARTIAL_REFUSALS } from '../schemas/erasure-messages.ts'
import { partialActivities } from './erasure-activities.ts'
import type { Saga } from './saga.ts'
import type { ErasureTracker } from './track-erasure.ts'

export const VERIFIER_UNAVAILABLE = 'the verifier, or what it needs, gives no answer'

/**
 * Has the verifier say what is erased and which stores it could not reach, while the saga goes on trying. One at a time: whoever
 * asks meanwhile gets the same answer. Refuses with one of PARTIAL_REFUSALS, or `verifier_unavailable`.
 */
export function createPartialCertifier(
  requestId: string,
  track: ErasureTracker,
): () => Promise<PartialCertificate> {
  let running: Promise<PartialCertificate> | undefined
  const certify = async () => {
    try {
      const made = await partialActivities().certifyPartial.executeWithOptions(
        { summary: 'Sign and log: partial' },
        [{ requestId }],
      )
      const { digest, logIndex } = made
      const known = track.status.certificates.some((one) => one.digest === digest)
      if (!known) track.status.certificates.push({ kind: 'partial', digest, logIndex })
      return made
    } catch (error) {
      throw refusalOf(error)
    }
  }
  return () => {
    running ??= CancellationScope.nonCancellable(certify).finally(() => {
      running = undefined
    })
    return running
  }
}

/** The deadline's: once, at the first round from now on that leaves a store out of reach. */
export async function certifyPartialOnce({ desk, track }: Saga): Promise<void> {
  for (;;) {
    await condition(() => track.status.unreachable)
    const round = desk.roundsBlocked
    if (canAskForPartial(track.status) || !patched('no-partial-without-keyring')) {
      try {
        await desk.certifyPartial()
        return
      } catch (error) {
        // The store has come back, or keeps something: the saga's next round will tell.
        if (!(error instanceof ApplicationFailure)) throw error
      }
    }
    await condition(() => desk.roundsBlocked > round)
  }
}

function refusalOf(error: unknown): unknown {
  if (!(error instanceof ActivityFailure)) return error
  const { cause } = error
  const code = cause instanceof ApplicationFailure ? cause.type : undefined
  // In the verifier's own words: they name the store.
  if (code === 'store_answers') return ApplicationFailure.nonRetryable(cause?.message, code)
  if (code && Object.hasOwn(PARTIAL_REFUSALS, code)) {
    return ApplicationFailure.nonRetryable(PARTIAL_REFUSALS[code as keyof typeof PARTIAL_REFUSALS], code)
  }
  return ApplicationFailure.nonRetryable(VERIFIER_UNAVAILABLE, 'verifier_unavailable')
}
