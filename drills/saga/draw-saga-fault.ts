import type { Fault } from '../inject-faults.ts'
import type { Answer } from './answer-request.ts'

/** Steps of a saga by the process that takes them; each has a boundary before and after its effect. */
const ACTIVITIES: Record<string, readonly string[]> = {
  'temporal-worker': [
    ...['openRequest', 'blockSubjects', 'awaitBlock', 'setState', 'writeJournal', 'enqueue', 'claimBatch'],
    ...['planErasure', 'eraseStore', 'rederiveAggregates', 'settleBatch', 'destroySecrets', 'liftBlock'],
    ...['withdrawStates', 'closeRequest', 'acceptEnding', 'cancelRequest'],
    ...['placeHold', 'sealHolds', 'noteRelease', 'releaseHold'],
  ],
  verifier: [
    ...['logReceived', 'observeClosure', 'verifyAbsence', 'verifyKeysGone', 'certify', 'verifyHorizons'],
    ...['refuse', 'supersede', 'certifyPartial'],
  ],
}

/** Steps that a saga takes only when an officer has said something to it. */
const ANSWERS: Record<string, Answer> = {
  acceptEnding: 'cancel',
  cancelRequest: 'cancel',
  refuse: 'refuse',
  placeHold: 'hold',
  sealHolds: 'hold',
  noteRelease: 'hold',
  releaseHold: 'hold',
  supersede: 'hold',
  certifyPartial: 'partial',
}

/** @returns what a request must be answered for its saga to come to a boundary */
export function answerToReach(point: string): Answer | undefined {
  return ANSWERS[point.split('.')[1] ?? '']
}

export const SAGA_POINTS: readonly { victim: string; point: string }[] = Object.entries(ACTIVITIES).flatMap(
  ([victim, names]) =>
    names.flatMap((name) =>
      ['before', 'after'].map((side) => ({ victim, point: `activity.${name}.${side}` })),
    ),
)

export const WORKERS = ['temporal-worker', 'verifier'] as const
const ENGINES = ['clickhouse', 'postgres', 's3'] as const
const VICTIMS = [...WORKERS, ...ENGINES]
const SECRETS_GONE = 'activity.destroySecrets.after'

/** Of all faults, those at boundaries; each needs an erasure of its own. */
export const SHARE_OF_POINTS = 2 / 3 + 1 / 24

/**
 * The n-th fault of a drill. Two of three are at boundaries, in turn, so that each is met: in one round by workers that die there in
 * the midst of their work, in the next by an engine that dies while a worker stands there, then by workers that start, then by the next
 * engine. Every third is at random: an engine or a worker at any moment. Every twelfth is all workers at once, which then start
 * cold, each second time when secrets have just been destroyed.
 */
export function drawSagaFault(n: number, random: () => number): Fault | { kind: 'cold' } {
  if (n % 3 !== 2) {
    const turn = n - Math.floor(n / 3)
    const round = Math.floor(turn / SAGA_POINTS.length)
    const at = turn % SAGA_POINTS.length
    const { victim, point } = SAGA_POINTS[at]!
    if (round % 2 === 0) return { kind: 'point', victim, point, nth: 1, inMidst: round % 4 === 0 }
    const engine = ENGINES[(at + Math.floor(round / 2)) % ENGINES.length]!
    return { kind: 'others-at-point', victims: [engine], worker: victim, point }
  }
  if (n % 24 === 23)
    return { kind: 'others-at-point', victims: WORKERS, worker: 'temporal-worker', point: SECRETS_GONE }
  if (n % 12 === 11) return { kind: 'cold' }
  return { kind: 'kill', victim: VICTIMS[Math.floor(random() * VICTIMS.length)]! }
}
