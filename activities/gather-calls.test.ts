import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { gatherCalls } from './gather-calls.ts'

describe('calls of one window', () => {
  it('are run once, together', async () => {
    const runs: number[][] = []
    const call = gatherCalls<number>(5, async (items) => {
      runs.push([...items])
    })
    await Promise.all([call(1), call(2), call(3)])
    await call(4)
    expect(runs).toEqual([[1, 2, 3], [4]])
  })

  it('fail together, and the next window starts afresh', async () => {
    let failing = true
    const call = gatherCalls<number>(1, async () => {
      if (failing) throw new Error('away')
    })
    await expect(Promise.allSettled([call(1), call(2)])).resolves.toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ])
    failing = false
    await expect(call(3)).resolves.toBeUndefined()
  })

  it('that come while a run is under way are in the next one', async () => {
    const runs: number[][] = []
    const call = gatherCalls<number>(1, async (items) => {
      runs.push([...items])
      await sleep(20)
    })
    const first = call(1)
    await sleep(10)
    await Promise.all([first, call(2)])
    expect(runs).toEqual([[1], [2]])
  })

  it('that come while a run is under way are in one run, which waits for its end', async () => {
    const runs: number[][] = []
    let underWay = 0
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const call = gatherCalls<number>(1, async (items) => {
      underWay += 1
      expect(underWay).toBe(1)
      runs.push([...items])
      await ended
      underWay -= 1
    })
    const calls = [call(1)]
    for (const item of [2, 3, 4]) {
      await sleep(10)
      calls.push(call(item))
    }
    end()
    await Promise.all(calls)
    expect(runs).toEqual([[1], [2, 3, 4]])
  })

  it('are run after one that failed', async () => {
    const call = gatherCalls<number>(1, async (items) => {
      await sleep(20)
      if (items.includes(1)) throw new Error('away')
    })
    const first = call(1)
    await sleep(10)
    await expect(Promise.allSettled([first, call(2)])).resolves.toMatchObject([
      { status: 'rejected' },
      { status: 'fulfilled' },
    ])
  })

  it('that come one after the other go together, while the run before rests', async () => {
    const runs: number[][] = []
    const call = gatherCalls<number>(
      1,
      async (items) => {
        runs.push([...items])
      },
      400,
    )
    await call(1)
    const later = [2, 3].map(async (item) => {
      await sleep(item * 30)
      await call(item)
    })
    await Promise.all(later)
    expect(runs).toEqual([[1], [2, 3]])
  })
})
