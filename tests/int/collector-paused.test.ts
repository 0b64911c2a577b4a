import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { barrierMs } from '../../activities/await-block.ts'
import { createApp } from '../../postgres/apps.ts'
import { createEdgeErasure, type EdgeErasure } from '../edge-erasure.ts'
import { readEventRows } from '../read-topic.ts'
import { createStage, type Stage } from '../stage.ts'
import { type RunningCollector, startCollector } from '../start-collector.ts'

const LEASE_S = 2
let stage: Stage
let edge: EdgeErasure
let writeKey: string
let collector: RunningCollector | undefined

beforeEach(async () => {
  stage = await createStage({ environment: { EBB_LEASE_S: String(LEASE_S) } })
  edge = await createEdgeErasure(stage)
  writeKey = (await createApp(edge.postgres, { app: 'shop' })).writeKey
})
afterEach(async () => {
  collector?.process.kill('SIGCONT')
  await collector?.stop()
  await edge.close()
  await stage.close()
})

async function send(element: string, who: object): Promise<number> {
  const response = await fetch(`${collector!.url}/v1/batch`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}` },
    body: JSON.stringify({
      batch: [{ type: 'track', event: 'button_click', properties: { element }, ...who }],
    }),
  })
  await response.text()
  return response.status
}

async function eraseWhileItSleeps(userId: string): Promise<void> {
  const requestId = await edge.block('shop', [{ label: 'userId', value: userId }])
  await sleep(barrierMs(LEASE_S * 1_000))
  await edge.destroy(requestId)
  await edge.lift(requestId)
}

async function subjects(): Promise<number> {
  const rows = await edge.postgres.query<{ n: number }>(
    'count',
    'SELECT count(*)::int AS n FROM subjects',
    [],
  )
  return rows[0]!.n
}

const stored = async (element: string) =>
  (await readEventRows(stage.config)).filter((row) => row.element === element).length

test('A collector that slept through an erasure stores nothing of what had reached it before', async () => {
  collector = await startCollector(stage.environment)
  expect(await send('before', { userId: 'ada' })).toBe(200)
  collector.process.kill('SIGSTOP')
  const waiting = [send('slept', { userId: 'ada' }), send('slept', { userId: 'bob' })]
  await eraseWhileItSleeps('ada')
  collector.process.kill('SIGCONT')
  expect(await Promise.all(waiting)).toEqual([503, 503])
  expect([await stored('before'), await stored('slept'), await subjects()]).toEqual([1, 0, 0])
  // It recovers by itself, and the person may return.
  await expect.poll(() => send('return', { userId: 'ada' }), { timeout: 20_000 }).toBe(200)
  expect(await stored('return')).toBe(1)
})

// Where a request can be when the process stands still: before its keys are looked up, and just before it is produced.
test.each([
  ['collector.before-produce:2:stop', 'ada'],
  ['collector.after-subject-secret:2:stop', 'unknown'],
])('Stopped at %s, woken after the erasure: nothing is stored, and nobody is made', async (fault, userId) => {
  collector = await startCollector({ ...stage.environment, EBB_FAULT: fault })
  expect(await send('before', { userId: 'ada' })).toBe(200)
  const waiting = send('slept', { userId })
  await eraseWhileItSleeps(userId)
  const known = await subjects()
  collector.process.kill('SIGCONT')
  expect(await waiting).toBe(503)
  expect([await stored('slept'), await subjects()]).toEqual([0, known])
})
