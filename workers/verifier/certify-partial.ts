import { EbbError } from '../../runtime/errors.ts'
import type { Certificate } from '../../schemas/certificate.ts'
import type { PartialCertificate } from '../../schemas/erasure.ts'
import type { AppendLeaf } from './append-leaf.ts'
import { requireNothing } from './findings.ts'
import { type LoggedStatement, readStatements } from './logged-statements.ts'
import type { LookDeps } from './look-for-survivors.ts'
import type { PartialLook } from './look-where-reachable.ts'
import type { OpenRequest } from './observation.ts'
import { readEvidence } from './read-evidence.ts'
import { type Issuer, partialBody, standing, statement } from './statements.ts'

export interface PartialDeps extends Issuer, Pick<LookDeps, 'postgres'> {
  append: AppendLeaf
  readStatement(logged: LoggedStatement | undefined): Promise<Certificate | undefined>
}

/**
 * Signs and logs what is erased and what could not be reached, or gives the one that stands where the same stores are away. One
 * stands at a time.
 * @param look what the verifier has just seen
 * @throws EbbError `store_answers` when no store is away, or one that is said to be answers; `evidence_missing`; `hold_over`;
 * `survivors_found` in a store that answers; `already_certified`
 */
export async function certifyPartial(
  deps: PartialDeps,
  request: OpenRequest,
  look: PartialLook,
): Promise<PartialCertificate> {
  const { requestId } = request
  const { unreachable } = look
  if (unreachable.length === 0) throw new EbbError('store_answers', 'every store answers the verifier')
  const receipts = await readEvidence(deps.postgres, request, deps.now(), look)
  requireNothing(look)
  const current = standing(await readStatements(deps.postgres, [requestId]))
  if (current?.kind === 'partial') {
    const named = storesOutOfReach(await deps.readStatement(current))
    if (sameNames(named, unreachable)) return { ...pick(current), unreachable }
    await withdrawPartial(deps, requestId)
  }
  const logged = await deps.append({
    requestId,
    decide(history) {
      const stands = standing(history)
      if (stands?.kind === 'partial') throw partialStands()
      if (stands) throw new EbbError('already_certified', 'every store was reached, and certified')
      return partialBody(deps, request, history, receipts)
    },
  })
  return { ...pick(logged), unreachable }
}

/**
 * Withdraws a partial certificate before another one takes its place: whatever follows it in the log does not rest on it, and
 * does not fall with it.
 */
export async function withdrawPartial(
  deps: Issuer & Pick<PartialDeps, 'postgres' | 'append'>,
  requestId: string,
): Promise<void> {
  if (standing(await readStatements(deps.postgres, [requestId]))?.kind !== 'partial') return
  await deps.append({
    requestId,
    decide(history) {
      const current = standing(history)
      if (current?.kind !== 'partial') return history.at(-1)!
      const body = { ...statement(deps, history), request: requestId, reason: 'replaced' as const }
      return { ...body, kind: 'supersession', supersedes: current.digest }
    },
  })
}

/** Somebody has signed one in between: the step is repeated, and withdraws it first. */
export function partialStands(): EbbError {
  return new EbbError('partial_stands', 'a partial certificate has come in between')
}

function storesOutOfReach(certificate: Certificate | undefined): string[] {
  if (certificate?.kind !== 'partial') return []
  return certificate.receipts.flatMap(({ outcome, store }) => (outcome === 'unreachable' ? store : []))
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name) => others.includes(name))
}

function pick({ digest, logIndex }: LoggedStatement): { digest: string; logIndex: number } {
  return { digest, logIndex }
}
