import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { MockActivityEnvironment } from '@temporalio/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRederiveAggregates } from '../../activities/rederive-aggregates.ts'
import { readAffectedDays } from '../../clickhouse/affected-days.ts'
import { readDirtyDays } from '../../postgres/dirty-days.ts'
import { createErasureWorld, type ErasureWorld } from '../erased-person.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let world: ErasureWorld
beforeAll(async () => {
  stage = await createStage()
  world = await createErasureWorld(stage)
}, 300_000)
afterAll(async () => {
  await world?.close()
  await stage?.close()
})

// Longer than a look waits for it (look-into-aggregates.ts); whoever comes meanwhile is not looked for with them.
test('Whose day is not counted again yet is waited for, and holds up nobody else', async () => {
  const [waiting, other] = await world.people(2, 'own days')
  await world.erase(other!)
  await world.erase(waiting!, ['clickhouse/aggregates'])
  const verifier = world.verify(120_000)
  let isOver = false
  const verdict = verifier.verifyAbsence({ requestId: waiting!.requestId }).finally(() => {
    isOver = true
  })
  await pause(20_000)
  const start = performance.now()
  const others = await verifier.verifyAbsence({ requestId: other!.requestId })
  const tookMs = performance.now() - start
  const wasOver = isOver
  await world.rederive()
  expect(await verdict).toEqual({ found: [] })
  expect(others).toEqual({ found: [] })
  expect(wasOver).toBe(false)
  expect(tookMs).toBeLessThan(15_000)
}, 300_000)

// ClickHouse was away for the first batch's recount, which was given up; the next batch's counts the days of both.
test('A recount takes the days of a batch that was given up with its own, though both erased on the same day', async () => {
  const [first, second] = await world.people(2, 'one day')
  for (const who of [first!, second!]) await world.erase(who, ['clickhouse/aggregates'])
  const waiting = await readAffectedDays(world.clickhouse)
  expect(waiting.map(({ day }) => day)).toEqual([first!.day, first!.day])

  const batchId = randomUUID()
  const { postgres, clickhouse } = world
  await postgres.query(
    'test_batch',
    `INSERT INTO erasure_queue (request_id, stage, batch_id) VALUES ($1, 'erase', $2)`,
    [second!.requestId, batchId],
  )
  const recount = createRederiveAggregates({
    clickhouse,
    postgres,
    withIngestHeld: (work) => work(() => Number.POSITIVE_INFINITY),
  })
  await new MockActivityEnvironment().run(recount, { batchId })
  expect(await readAffectedDays(clickhouse)).toEqual([])
  expect((await readDirtyDays(postgres)).days).toEqual([first!.day])
  for (const who of [first!, second!])
    expect(await world.verify(1_000).verifyAbsence({ requestId: who.requestId })).toEqual({ found: [] })
}, 300_000)
