import { expect, test } from 'vitest'
import { createLagWatch } from './watch-lag.ts'

test('the lag grows with the log while nothing is fetched and nothing acknowledged', async () => {
  const lags = new Map<number, number>()
  let end: number | undefined = 100
  const lag = createLagWatch({
    fetchEnds: async () => {
      if (end === undefined) throw new Error('away')
      return new Map([
        [0, end],
        [1, 7],
      ])
    },
    set: (partition, records) => lags.set(partition, records),
    lookMs: 2,
  })
  const over = new AbortController()
  lag.acknowledged(0, 90, 95)
  expect(lags.get(0)).toBe(5)
  const watch = lag.watch(over.signal)
  await expect.poll(() => lags.get(0), { interval: 2 }).toBe(10)
  end = 5_090
  await expect.poll(() => lags.get(0), { interval: 2 }).toBe(5_000)
  end = undefined
  lag.acknowledged(0, 5_000, 95)
  expect(lags.get(0)).toBe(90)
  expect(lags.has(1)).toBe(false)
  over.abort()
  await expect(watch).rejects.toMatchObject({ code: 'session_over' })
})
