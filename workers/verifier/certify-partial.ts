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
import { type Issuer, partialBody, standing, supersessionBody } from './statements.ts'

export interface PartialDeps extends Issuer, Pick<LookDeps, 'postgres'> {
  append: AppendLeaf
  readStatement(logged: LoggedStatement | undefined): Promise<Certificate | undefined>
}

/**
 * Signs and logs what is erased and what could not be reached, or gives the one that stands where the same stores are away. One
 * stands at a time, and none while a store that it calls erased is seen to hold something.
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
  const current = standing(await readStatements(deps.postgres, [requestId]))
  const stands = current?.kind === 'partial' ? await deps.readStatement(current) : undefined
  const erased = storesWith('erased', stands)
  if (look.found.some(({ store }) => erased.includes(store))) {
    // Whoever holds it learns so from the log at once, and not only when another one takes its place.
    await withdrawPartial(deps, requestId, 'survivor-found')
    requireNothing(look)
  }
  if (unreachable.length === 0) throw new EbbError('store_answers', 'every store answers the verifier')
  const receipts = await readEvidence(deps.postgres, request, deps.now(), look)
  requireNothing(look)
  if (current?.kind === 'partial') {
    if (sameNames(storesWith('unreachable', stands), unreachable)) return { ...pick(current), unreachable }
    await withdrawPartial(deps, requestId, 'replaced')
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

/**
 * Withdraws a partial certificate that does not hold, and one before another takes its place: whatever follows it in the log does
 * not rest on it, and does not fall with it.
 */
export async function withdrawPartial(
  deps: Issuer & Pick<PartialDeps, 'postgres' | 'append'>,
  requestId: string,
  reason: 'replaced' | 'survivor-found',
): Promise<void> {
  if (standing(await readStatements(deps.postgres, [requestId]))?.kind !== 'partial') return
  await deps.append({
    requestId,
    decide(history) {
      const current = standing(history)
      if (current?.kind !== 'partial') return history.at(-1)!
      return supersessionBody(deps, history, current, { request: requestId, reason })
    },
  })
}

/** Somebody has signed one in between: the step is repeated, and withdraws it first. */
export function partialStands(): EbbError {
  return new EbbError('partial_stands', 'a partial certificate has come in between')
}

function storesWith(wanted: 'erased' | 'unreachable', certificate: Certificate | undefined): string[] {
  if (certificate?.kind !== 'partial') return []
  return certificate.receipts.flatMap(({ outcome, store }) => (outcome === wanted ? store : []))
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name) => others.includes(name))
}

function pick({ digest, logIndex }: LoggedStatement): { digest: string; logIndex: number } {
  return { digest, logIndex }
}
