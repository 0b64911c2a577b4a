import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { inLanes } from './in-lanes.ts'

test('all are worked on, some at a time, and results keep their order', async () => {
  let running = 0
  let most = 0
  const work = async (item: number) => {
    most = Math.max(most, ++running)
    await sleep(10 - item)
    running--
    return item * 2
  }
  expect(await inLanes([1, 2, 3, 4, 5, 6, 7], 3, work)).toEqual([2, 4, 6, 8, 10, 12, 14])
  expect(most).toBe(3)
  expect(await inLanes([], 3, work)).toEqual([])
})

test('after a failure nothing more is begun', async () => {
  const begun: number[] = []
  const work = async (item: number) => {
    begun.push(item)
    await sleep(1)
    if (item === 2) throw new Error('two')
  }
  await expect(inLanes([1, 2, 3, 4, 5, 6], 2, work)).rejects.toThrow('two')
  await sleep(20)
  expect(begun.length).toBeLessThanOrEqual(4)
})
