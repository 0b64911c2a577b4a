import { expect, it } from 'vitest'
import { drawSagaFault, SAGA_POINTS } from './draw-saga-fault.ts'

it('meets every boundary of every step, each engine, and cold starts', () => {
  let seed = 1
  const random = () => {
    seed = (seed * 16_807) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const faults = Array.from({ length: 200 }, (_, n) => drawSagaFault(n, random))
  for (const inMidst of [true, false]) {
    const round = faults.filter((fault) => fault.kind === 'point' && fault.inMidst === inMidst)
    expect(round.length).toBeGreaterThan(SAGA_POINTS.length - 1)
  }
  const points = new Set(faults.flatMap((fault) => (fault.kind === 'point' ? fault.point : [])))
  expect(points).toEqual(new Set(SAGA_POINTS.map(({ point }) => point)))
  const killed = new Set(faults.flatMap((fault) => (fault.kind === 'kill' ? fault.victim : [])))
  expect([...killed].sort()).toEqual(['clickhouse', 'postgres', 's3', 'temporal-worker', 'verifier'])
  expect(faults.filter(({ kind }) => kind === 'cold').length).toBeGreaterThan(10)
})
