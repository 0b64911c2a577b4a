import { ActivityFailure, ApplicationFailure } from '@temporalio/common'
import type { Saga } from './erase-until-gone.ts'
import type { Verifier } from './erasure-activities.ts'

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
