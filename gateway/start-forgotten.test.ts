import { expect, test } from 'vitest'
import { startForgotten } from './start-forgotten.ts'

function sweeping(waiting: string[]) {
  const started: string[] = []
  const askedAt = new Map<string, number>()
  const away = new Set<string>()
  const clock = { ms: 1_000_000 }
  const deps = {
    postgres: {
      query: async () => waiting.map((request_id) => ({ request_id, received_at: new Date(0) })) as never[],
      close: async () => undefined,
    },
    erasures: {
      async start(requestId: string) {
        if (away.has(requestId)) throw new Error('away')
        started.push(requestId)
      },
    },
    now: () => clock.ms,
  }
  return { started, askedAt, away, clock, sweep: () => startForgotten(deps, askedAt) }
}

test('an erasure that Temporal has is not asked for at each sweep', async () => {
  const waiting = ['a', 'b']
  const { started, clock, sweep } = sweeping(waiting)
  expect(await sweep()).toBe(2)
  waiting.push('c')
  clock.ms += 15_000
  expect(await sweep()).toBe(3)
  expect(started).toEqual(['a', 'b', 'c'])
})

test('one that still waits after minutes is: somebody may have terminated it', async () => {
  const { started, clock, sweep } = sweeping(['a'])
  await sweep()
  clock.ms += 120_000
  await sweep()
  expect(started).toEqual(['a', 'a'])
})

test('one that could not be started is asked for at the next sweep', async () => {
  const { started, away, sweep } = sweeping(['a'])
  away.add('a')
  await expect(sweep()).rejects.toThrow('away')
  away.clear()
  await sweep()
  expect(started).toEqual(['a'])
})

test('one that waits no longer is forgotten, and asked for when it waits anew', async () => {
  const waiting = ['a']
  const { started, askedAt, sweep } = sweeping(waiting)
  await sweep()
  waiting.pop()
  await sweep()
  expect(askedAt.size).toBe(0)
  waiting.push('a')
  await sweep()
  expect(started).toEqual(['a', 'a'])
})
