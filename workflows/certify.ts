import { ActivityFailure, ApplicationFailure } from '@temporalio/common'
import type { Verifier } from './erasure-activities.ts'
import type { Saga } from './saga.ts'

/** `survivors`: the verifier's last look found something. `hold_over`: a hold's date has passed, and what it held is still there. */
export type Verdict = 'signed' | 'survivors' | 'hold_over'

export async function certify(
  { requestId, track }: Saga,
  verifier: Verifier,
  kind: 'certificate' | 'held' | 'closed',
): Promise<Verdict> {
  try {
    const made = await track.step(
      `certificate (${kind})`,
      () => verifier.certify.executeWithOptions({ summary: `Sign and log: ${kind}` }, [{ requestId, kind }]),
      ({ logIndex }) => `leaf ${logIndex}`,
    )
    track.status.certificates.push({ kind, ...made })
    return 'signed'
  } catch (error) {
    const code = codeOf(error)
    if (code === 'survivors_found' || code === 'keys_remain') return 'survivors'
    if (code === 'hold_over') return 'hold_over'
    throw error
  }
}

function codeOf(error: unknown): string | null | undefined {
  if (!(error instanceof ActivityFailure)) return undefined
  return error.cause instanceof ApplicationFailure ? error.cause.type : undefined
}
