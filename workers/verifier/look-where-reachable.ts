import type { Survivors } from '../../schemas/erasure.ts'
import { type LookDeps, lookForKeys, lookForSurvivors } from './look-for-survivors.ts'
import { findUnreachable } from './reach-stores.ts'

/** The gateway waits 45 s for the whole; a store that is out of reach has taken 10 of them. */
const PATIENCE_MS = 20_000

/** What a look into every store that answers has shown. */
export interface PartialLook extends Survivors {
  unreachable: string[]
  /** Whether nothing opens the person's secrets any more: mostly not, since keys go last. */
  keysGone: boolean
}

/**
 * As lookForSurvivors, leaving out the stores that give no answer. A store that falls silent during its look is an error, and is
 * asked anew.
 */
export async function lookWhereReachable(
  deps: LookDeps,
  requestIds: readonly string[],
): Promise<Map<string, PartialLook>> {
  const unreachable = await findUnreachable(deps)
  const [survivors, keys] = await Promise.all([
    // An officer waits, who was told to ask again after that: what others' batches leave for a moment is looked for no longer.
    lookForSurvivors(
      { ...deps, patienceMs: Math.min(deps.patienceMs ?? PATIENCE_MS, PATIENCE_MS) },
      requestIds,
      unreachable,
    ),
    // Nobody waits for keys to go before every store is erased.
    lookForKeys({ ...deps, patienceMs: 0 }, requestIds),
  ])
  return new Map(
    [...survivors].map(([requestId, look]) => [
      requestId,
      { ...look, unreachable, keysGone: keys.get(requestId)?.found.length === 0 },
    ]),
  )
}
