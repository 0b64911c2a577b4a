import type { Postgres } from '../../postgres/client.ts'
import type { Survivors } from '../../schemas/erasure.ts'
import type { AppendLeaf } from './append-leaf.ts'
import { type LoggedStatement, readCertificate, readStatements, storesWith } from './logged-statements.ts'
import { type Issuer, standing, supersessionBody, type WithdrawalReason } from './statements.ts'

export interface WithdrawDeps extends Issuer {
  postgres: Postgres
  append: AppendLeaf
}

/**
 * Withdraws a certificate that does not hold, and one before another takes its place: whatever follows it in the log does not rest
 * on it, and does not fall with it. One that stands no more stays as it is.
 */
export async function withdraw(
  deps: WithdrawDeps,
  requestId: string,
  { digest }: LoggedStatement,
  reason: WithdrawalReason,
): Promise<void> {
  await deps.append({
    requestId,
    decide(history) {
      const current = standing(history)
      if (current?.digest !== digest) return history.at(-1)!
      return supersessionBody(deps, history, current, { request: requestId, reason })
    },
  })
}

/**
 * A certificate falls as soon as something is seen in a store that it calls erased: whoever holds it learns so from the log at once,
 * and not only when another one takes its place. The one before it may say the same.
 * @param look what the verifier has just seen
 * @returns whether any fell
 */
export async function withdrawUntrue(
  deps: WithdrawDeps,
  requestId: string,
  { found }: Survivors,
): Promise<boolean> {
  if (found.length === 0) return false
  for (let fell = false; ; fell = true) {
    const current = standing(await readStatements(deps.postgres, [requestId]))
    const erased = storesWith('erased', await readCertificate(deps.postgres, current))
    if (!current || !found.some(({ store }) => erased.includes(store))) return fell
    await withdraw(deps, requestId, current, 'survivor-found')
  }
}
