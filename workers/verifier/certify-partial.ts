import { EbbError } from '../../runtime/errors.ts'
import type { PartialCertificate } from '../../schemas/erasure.ts'
import { requireNothing } from './findings.ts'
import { type LoggedStatement, readCertificate, readStatements, storesWith } from './logged-statements.ts'
import type { PartialLook } from './look-where-reachable.ts'
import type { OpenRequest } from './observation.ts'
import { isHeldStill, readEvidence } from './read-evidence.ts'
import { partialBody, standing } from './statements.ts'
import { type WithdrawDeps, withdraw, withdrawUntrue } from './withdraw-certificate.ts'

/**
 * Signs and logs what is erased and what could not be reached, or gives the one that stands where the same stores are away and
 * what it names as held is held still. One stands at a time, and none while a store that it calls erased is seen to hold something.
 * @param look what the verifier has just seen
 * @throws EbbError `store_answers` when no store is away, or one that is said to be answers; `evidence_missing`; `hold_over`;
 * `survivors_found` in a store that answers; `already_certified`
 */
export async function certifyPartial(
  deps: WithdrawDeps,
  request: OpenRequest,
  look: PartialLook,
): Promise<PartialCertificate> {
  const { requestId } = request
  const { unreachable } = look
  if (await withdrawUntrue(deps, requestId, look)) requireNothing(look)
  if (unreachable.length === 0) throw new EbbError('store_answers', 'every store answers the verifier')
  const receipts = await readEvidence(deps.postgres, request, deps.now(), look)
  requireNothing(look)
  const current = standing(await readStatements(deps.postgres, [requestId]))
  if (current?.kind === 'partial') {
    const stands = await readCertificate(deps.postgres, current)
    const isHeld = await isHeldStill(deps.postgres, requestId, stands)
    if (isHeld && sameNames(storesWith('unreachable', stands), unreachable))
      return { ...pick(current), unreachable }
    await withdraw(deps, requestId, current, isHeld ? 'replaced' : 'hold-released')
  }
  const logged = await deps.append({
    requestId,
    decide(history) {
      const latest = standing(history)
      if (latest?.kind === 'partial') throw partialStands()
      if (latest) throw new EbbError('already_certified', 'every store was reached, and certified')
      return partialBody(deps, request, history, receipts)
    },
  })
  return { ...pick(logged), unreachable }
}

/** Somebody has signed one in between: the step is repeated, and withdraws it first. */
export function partialStands(): EbbError {
  return new EbbError('partial_stands', 'a partial certificate has come in between')
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name) => others.includes(name))
}

function pick({ digest, logIndex }: LoggedStatement): { digest: string; logIndex: number } {
  return { digest, logIndex }
}
