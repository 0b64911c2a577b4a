import { expect, it } from 'vitest'
import { createRandom } from '../../runtime/random.ts'
import { answerToReach, drawSagaFault, SAGA_POINTS } from './draw-saga-fault.ts'

const draw = (count: number) => {
  const random = createRandom(1)
  return Array.from({ length: count }, (_, n) => drawSagaFault(n, random))
}
const ALL_POINTS = new Set(SAGA_POINTS.map(({ point }) => point))

it('meets every boundary of every step by a worker and by an engine, and every engine and worker at random, in 200 faults', () => {
  const faults = draw(200)
  const round = faults.filter((fault) => fault.kind === 'point' && fault.inMidst)
  expect(new Set(round.map((fault) => 'point' in fault && fault.point))).toEqual(ALL_POINTS)
  const engines = faults.filter((fault) => fault.kind === 'others-at-point' && fault.victims.length === 1)
  expect(new Set(engines.map((fault) => 'point' in fault && fault.point))).toEqual(ALL_POINTS)
  const killed = new Set(faults.flatMap((fault) => (fault.kind === 'kill' ? fault.victim : [])))
  expect([...killed].sort()).toEqual(['clickhouse', 'postgres', 's3', 'temporal-worker', 'verifier'])
})

it('meets every boundary by a worker that starts with its fault, too, in 300 faults', () => {
  const round = draw(300).filter((fault) => fault.kind === 'point' && !fault.inMidst)
  expect(new Set(round.map((fault) => 'point' in fault && fault.point))).toEqual(ALL_POINTS)
})

it('meets every boundary by each of the engines in the end', () => {
  const met = draw(600).flatMap((fault) =>
    fault.kind === 'others-at-point' && fault.victims.length === 1
      ? `${fault.victims[0]} ${fault.point}`
      : [],
  )
  expect(new Set(met).size).toBe(3 * ALL_POINTS.size)
})

it('starts all workers cold, also when secrets are just gone', () => {
  const faults = draw(200)
  expect(faults.filter(({ kind }) => kind === 'cold').length).toBeGreaterThan(7)
  const late = faults.filter((fault) => fault.kind === 'others-at-point' && fault.victims.length > 1)
  expect(late.length).toBeGreaterThan(7)
  expect(late[0]).toMatchObject({
    victims: ['temporal-worker', 'verifier'],
    point: 'activity.destroySecrets.after',
  })
})

it('knows what an officer must say for a saga to come to a boundary', () => {
  expect(answerToReach('activity.refuse.before')).toBe('refuse')
  expect(answerToReach('activity.supersede.after')).toBe('hold')
  expect(answerToReach('activity.certifyPartial.before')).toBe('partial')
  expect(answerToReach('activity.certify.after')).toBeUndefined()
})
