import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { barrierMs } from '../../activities/await-block.ts'
import { createApp } from '../../postgres/apps.ts'
import { createEdgeErasure, type EdgeErasure } from '../edge-erasure.ts'
import { readEventRows } from '../read-topic.ts'
import { createStage } from '../stage.ts'
import { type RunningCollector, startCollector } from '../start-collector.ts'

const LEASE_S = 2
/** A stage with an app whose people are erased, and collectors on it. */
interface PausedStage {
  start(environment?: Record<string, string>): Promise<RunningCollector>
  /** A click, or any other call. @returns the answer's status */
  send(element: string, who: object): Promise<number>
  /** How often the element is stored. */
  stored(element: string): Promise<number>
  subjects(): Promise<number>
  block(userId: string): Promise<string>
  eraseWhileItSleeps(userId: string): Promise<void>
}

/** A test on a stage of its own: each waits for a barrier, so they go side by side. */
function onPausedStage(body: (paused: PausedStage) => Promise<void>): () => Promise<void> {
  return async () => {
    const stage = await createStage({ environment: { EBB_LEASE_S: String(LEASE_S) } })
    const edge = await createEdgeErasure(stage)
    const { writeKey } = await createApp(edge.postgres, { app: 'shop' })
    const block = (userId: string) => edge.block('shop', [{ label: 'userId', value: userId }])
    let collector: RunningCollector | undefined
    try {
      await body({
        async start(environment = {}) {
          collector = await startCollector({ ...stage.environment, ...environment })
          return collector
        },
        send: (element, who) => send(collector!.url, writeKey, element, who),
        stored: async (element) =>
          (await readEventRows(stage.config)).filter((row) => row.element === element).length,
        subjects: () => countSubjects(edge),
        block,
        async eraseWhileItSleeps(userId) {
          const requestId = await block(userId)
          await sleep(barrierMs(LEASE_S * 1_000))
          await edge.destroy(requestId)
          await edge.lift(requestId)
        },
      })
    } finally {
      collector?.process.kill('SIGCONT')
      await collector?.stop()
      await edge.close()
      await stage.close()
    }
  }
}

async function send(url: string, writeKey: string, element: string, who: object): Promise<number> {
  const response = await fetch(`${url}/v1/batch`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}` },
    body: JSON.stringify({
      batch: [{ type: 'track', event: 'button_click', properties: { element }, ...who }],
    }),
  })
  await response.text()
  return response.status
}

async function countSubjects({ postgres }: EdgeErasure): Promise<number> {
  const [row] = await postgres.query<{ n: number }>('count', 'SELECT count(*)::int AS n FROM subjects', [])
  return row!.n
}

describe.concurrent('a collector that stands still while somebody is erased', () => {
  test(
    'stores nothing of what had reached it before',
    onPausedStage(async ({ start, send, stored, subjects, eraseWhileItSleeps }) => {
      const collector = await start()
      expect(await send('before', { userId: 'ada' })).toBe(200)
      collector.process.kill('SIGSTOP')
      const waiting = [send('slept', { userId: 'ada' }), send('slept', { userId: 'bob' })]
      await eraseWhileItSleeps('ada')
      collector.process.kill('SIGCONT')
      expect(await Promise.all(waiting)).toEqual([503, 503])
      expect([await stored('before'), await stored('slept'), await subjects()]).toEqual([1, 0, 0])
      // It recovers by itself, and the person may return.
      await vi.waitFor(async () => expect(await send('return', { userId: 'ada' })).toBe(200), 20_000)
      expect(await stored('return')).toBe(1)
    }),
  )

  // Where a request can be when the process stands still: before its keys are looked up, and just before it is produced.
  test.each([
    ['collector.before-produce:2:stop', 'ada'],
    ['collector.after-subject-secret:2:stop', 'unknown'],
  ])('at %s, and is woken after the erasure: nothing is stored, and nobody is made', (fault, userId) =>
    onPausedStage(async ({ start, send, stored, subjects, eraseWhileItSleeps }) => {
      const collector = await start({ EBB_FAULT: fault })
      expect(await send('before', { userId: 'ada' })).toBe(200)
      const waiting = send('slept', { userId })
      await eraseWhileItSleeps(userId)
      const known = await subjects()
      collector.process.kill('SIGCONT')
      expect(await waiting).toBe(503)
      expect([await stored('slept'), await subjects()]).toEqual([0, known])
    })(),
  )

  test(
    'within its lease, and has not heard of the block: it answers as ever, and notes no new device of the person',
    onPausedStage(async ({ start, send, subjects, block }) => {
      const collector = await start({ EBB_FAULT: 'collector.before-produce:2:stop', EBB_LEASE_S: '60' })
      expect(await send('before', { userId: 'ada' })).toBe(200)
      const identify = { type: 'identify', event: undefined, properties: undefined }
      const waiting = send('', { ...identify, userId: 'ada', anonymousId: 'new-device' })
      const stat = `/proc/${collector.process.pid}/stat`
      await vi.waitFor(async () => expect(await readFile(stat, 'utf8')).toContain(') T '), 20_000)
      await block('ada')
      collector.process.kill('SIGCONT')
      expect(await waiting).toBe(200)
      expect(await subjects()).toBe(1)
    }),
  )
})
