import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashEvidence } from '../../activities/erase-clickhouse.ts'
import { writeReceipts } from '../../postgres/erasure-queue.ts'
import { readTargets } from '../../postgres/erasure-targets.ts'
import { handlesOf } from '../../postgres/privacy-requests.ts'
import { createSubjectResolver } from '../../postgres/resolve-subjects.ts'
import { inLanes } from '../../runtime/in-lanes.ts'
import type { PersonIdentifier } from '../../schemas/erasure.ts'
import { createErasureWorld, type ErasureWorld } from '../erased-person.ts'
import { createStage, type Stage } from '../stage.ts'
import { insertRows, row } from './clickhouse-rows.ts'

const REQUESTS = Number(process.env.VERIFIED_REQUESTS ?? 200)
/** Five thousand an hour. */
const MOST_MS = (3_600_000 / 5_000) * REQUESTS

let stage: Stage
let world: ErasureWorld
let requestIds: string[]

beforeAll(async () => {
  stage = await createStage({ environment: { EBB_SUPPRESS_S: '0', EBB_EVENTS_RETENTION_S: '1' } })
  world = await createErasureWorld(stage)
  requestIds = await peopleToErase()
}, 600_000)
afterAll(async () => {
  await world?.close()
  await stage?.close()
})

/** That many people with rows in ClickHouse and in the vault, each with a request that is blocked, all erased in one batch. */
async function peopleToErase(): Promise<string[]> {
  const { edge, postgres, clickhouse, erasers } = world
  const people: PersonIdentifier[] = Array.from({ length: REQUESTS }, () => ({
    label: 'userId',
    value: `u-${randomUUID()}`,
  }))
  const lookup = await edge.keyring.appLookupKey('shop')
  const resolver = createSubjectResolver({ postgres, keyring: edge.keyring })
  const keys = await resolver.resolve(handlesOf(lookup, people), 'shop')
  const ts = Date.parse('2026-09-01T10:00:00Z')
  const rows = keys.map(({ token }, at) =>
    row({ app: 'shop', ts: ts + at, subject: new Uint8Array(token), session: BigInt(at) }),
  )
  await insertRows(clickhouse, rows, 'test/load/1')
  const ids = await inLanes(people, 16, (who) => edge.block('shop', [who]))
  const verifier = world.verify()
  await timed('logReceived and observeClosure', () =>
    Promise.all(
      ids.map(async (requestId) => {
        await verifier.logReceived({ requestId })
        await verifier.observeClosure({ requestId })
      }),
    ),
  )
  const batch = { batchId: randomUUID(), requestIds: ids }
  const targets = await readTargets(edge.deps, ids)
  for (const eraser of Object.values(erasers)) {
    await writeReceipts(postgres, batch, await eraser.erase({ batchId: batch.batchId, targets }))
  }
  await world.rederive()
  await writeReceipts(postgres, batch, {
    store: 'clickhouse/aggregates',
    outcome: 'erased',
    method: 'rewritten',
    atMs: Date.now(),
    ids: [],
    evidenceHash: hashEvidence({}),
  })
  return ids
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now()
  const result = await work()
  const seconds = (performance.now() - start) / 1_000
  process.stderr.write(`  ${REQUESTS} requests: ${what} ${seconds.toFixed(1)} s\n`)
  return result
}

test('as many requests as an hour may bring are verified and certified side by side', async () => {
  const verifier = world.verify()
  const start = performance.now()
  const found = await timed('verifyAbsence', () =>
    Promise.all(requestIds.map((requestId) => verifier.verifyAbsence({ requestId }))),
  )
  expect(found.flatMap((one) => one.found)).toEqual([])
  const verified = performance.now()
  const subjects = await world.keyringPostgres.query<{ subject_id: string }>(
    'all_secrets',
    'SELECT subject_id FROM subject_secrets WHERE NOT subject_id = ANY($1::uuid[])',
    [requestIds],
  )
  await world.destroyKeys({ subjectIds: subjects.map((one) => one.subject_id) })
  const destroyed = performance.now()
  const gone = await timed('verifyKeysGone', () =>
    Promise.all(requestIds.map((requestId) => verifier.verifyKeysGone({ requestId }))),
  )
  expect(gone.flatMap((one) => one.found)).toEqual([])
  const certified = await timed('certify', () =>
    Promise.all(requestIds.map((requestId) => verifier.certify({ requestId, kind: 'certificate' }))),
  )
  expect(new Set(certified.map(({ logIndex }) => logIndex)).size).toBe(REQUESTS)
  const ms = performance.now() - start - (destroyed - verified)
  process.stderr.write(`  ${REQUESTS} requests: together ${(ms / 1_000).toFixed(1)} s\n`)
  expect(ms).toBeLessThan(MOST_MS)
}, 900_000)
