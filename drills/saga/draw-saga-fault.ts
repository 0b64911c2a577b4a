import type { Fault } from '../inject-faults.ts'

/** Steps of a saga by the process that takes them; each has a boundary before and after its effect. */
const ACTIVITIES: Record<string, readonly string[]> = {
  'temporal-worker': [
    ...['openRequest', 'blockSubjects', 'awaitBlock', 'setState', 'writeJournal', 'enqueue', 'claimBatch'],
    ...['planErasure', 'eraseStore', 'rederiveAggregates', 'settleBatch', 'destroySecrets', 'liftBlock'],
    'withdrawStates',
    'closeRequest',
  ],
  verifier: [
    ...['logReceived', 'observeClosure', 'verifyAbsence', 'verifyKeysGone', 'certify', 'verifyHorizons'],
  ],
}

export const SAGA_POINTS: readonly { victim: string; point: string }[] = Object.entries(ACTIVITIES).flatMap(
  ([victim, names]) =>
    names.flatMap((name) =>
      ['before', 'after'].map((side) => ({ victim, point: `activity.${name}.${side}` })),
    ),
)

const VICTIMS = ['temporal-worker', 'verifier', 'clickhouse', 'postgres', 's3'] as const

/** Of all faults, those at boundaries; each needs an erasure of its own. */
export const SHARE_OF_POINTS = 2 / 3

/**
 * The n-th fault of a drill: boundaries in turn, so that each is met, and every third fault at random: an engine or a worker
 * at any moment; every twelfth is every worker at once, which then starts cold.
 */
export function drawSagaFault(n: number, random: () => number): Fault | { kind: 'cold' } {
  if (n % 3 !== 2) {
    const { victim, point } = SAGA_POINTS[(n - Math.floor(n / 3)) % SAGA_POINTS.length]!
    return { kind: 'point', victim, point, nth: 1 }
  }
  if (n % 12 === 11) return { kind: 'cold' }
  return { kind: 'kill', victim: VICTIMS[Math.floor(random() * VICTIMS.length)]! }
}
