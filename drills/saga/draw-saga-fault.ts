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
 * The n-th fault of a drill: boundaries in turn, so that each is met, in one round by workers in the midst of their work, in the
 * next by workers that start; and every third fault at random: an engine or a worker at any moment; every twelfth is every worker
 * at once, which then starts cold.
 */
export function drawSagaFault(n: number, random: () => number): Fault | { kind: 'cold' } {
  if (n % 3 !== 2) {
    const turn = n - Math.floor(n / 3)
    const { victim, point } = SAGA_POINTS[turn % SAGA_POINTS.length]!
    const inMidst = Math.floor(turn / SAGA_POINTS.length) % 2 === 0
    return { kind: 'point', victim, point, nth: 1, inMidst }
  }
  if (n % 12 === 11) return { kind: 'cold' }
  return { kind: 'kill', victim: VICTIMS[Math.floor(random() * VICTIMS.length)]! }
}
