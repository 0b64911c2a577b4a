import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { MockActivityEnvironment } from '@temporalio/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRederiveAggregates } from '../../activities/rederive-aggregates.ts'
import { readAffectedDays } from '../../clickhouse/affected-days.ts'
import { readDirtyDays } from '../../postgres/dirty-days.ts'
import { createErasureWorld, type ErasedPerson, type ErasureWorld } from '../erased-person.ts'
import { createStage, type Stage } from '../stage.ts'
import { insertRows, row } from './clickhouse-rows.ts'

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

// A look waits 15 s for it, with all who share the look (look-into-aggregates.ts).
test('Whose day is not counted again yet is waited for, longer than their look lasts, and what came back meanwhile is seen', async () => {
  const [first, second] = await world.people(2, 'own days')
  for (const who of [first!, second!]) await world.erase(who, ['clickhouse/aggregates'])
  const verifier = world.verify(120_000)
  const over: string[] = []
  const look = async ({ requestId }: ErasedPerson) => {
    const verdict = await verifier.verifyAbsence({ requestId })
    over.push(requestId)
    return verdict
  }
  const verdicts = Promise.all([look(first!), look(second!)])
  await pause(20_000)
  const early = [...over]
  const back = row({
    app: 'shop',
    ts: Date.parse(`${second!.day}T10:00:00Z`),
    subject: new Uint8Array(second!.tokens[0]!),
  })
  await insertRows(world.clickhouse, [back], 'test/recount/1')
  await world.rederive()
  const [clean, found] = await verdicts
  expect(early).toEqual([])
  expect(clean).toEqual({ found: [] })
  expect(found!.found.map(({ store }) => store)).toEqual(['clickhouse/events'])
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
    expect(await world.verify().verifyAbsence({ requestId: who.requestId })).toEqual({ found: [] })
}, 300_000)
