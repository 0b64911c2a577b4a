import { expect, test } from 'vitest'
import { countQueries } from './count-queries.ts'
import { limitConcurrency } from './limit-concurrency.ts'

test('a quota refuses the statement too many, each user alone, until its minute is over', () => {
  let now = 0
  const counted = countQueries(2, () => now)
  counted('bi')
  counted('bi')
  expect(() => counted('bi')).toThrow(/QUOTA_EXCEEDED/)
  counted('other')
  now = 60_001
  counted('bi')
})

test('a concurrency limit runs so many, lets so many wait in order, and refuses the rest', async () => {
  const limit = limitConcurrency(1, 1)
  const order: number[] = []
  let release = () => {}
  const first = limit.run(() =>
    new Promise<void>((resolve) => (release = resolve)).then(() => void order.push(1)),
  )
  const second = limit.run(async () => void order.push(2))
  await expect(limit.run(async () => {})).rejects.toThrow(/TOO_MANY_SIMULTANEOUS_QUERIES/)
  expect(limit.running()).toBe(1)
  release()
  await Promise.all([first, second, limit.idle()])
  expect(order).toEqual([1, 2])
  await expect(limit.run(() => Promise.reject(new Error('x')))).rejects.toThrow('x')
  expect(limit.running()).toBe(0)
})
