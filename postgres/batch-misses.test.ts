import { expect, test } from 'vitest'
import { EbbError } from '../runtime/errors.ts'
import { batchMisses } from './batch-misses.ts'

const OPTIONS = { windowMs: 1, batchSize: 10, concurrency: 2, pendingLimit: 100 }

test('Who asks for a key under way waits for the same answer', async () => {
  const batches: number[][] = []
  const look = batchMisses<number, object>(async (items) => {
    batches.push(items)
    return items.map(() => ({}))
  }, OPTIONS)
  const [a, b, c] = await Promise.all([look('1', 1), look('2', 2), look('1', 1)])
  expect(a).toBe(c)
  expect(a).not.toBe(b)
  expect(batches).toEqual([[1, 2]])
})

test('Batches keep their size, and no more are under way than allowed', async () => {
  let underWay = 0
  let most = 0
  const look = batchMisses<number, number>(async (items) => {
    expect(items.length).toBeLessThanOrEqual(10)
    most = Math.max(most, ++underWay)
    await new Promise((resolve) => setTimeout(resolve, 2))
    underWay -= 1
    return items.map((item) => 2 * item)
  }, OPTIONS)
  const items = Array.from({ length: 95 }, (_, item) => item)
  expect(await Promise.all(items.map((item) => look(String(item), item)))).toEqual(
    items.map((item) => 2 * item),
  )
  expect(most).toBe(2)
})

test('A failed batch fails who waited for it, and the next question is asked anew', async () => {
  let away = true
  const look = batchMisses<number, number>(async (items) => {
    if (away) throw new EbbError('away', '')
    return items
  }, OPTIONS)
  await expect(look('1', 1)).rejects.toMatchObject({ code: 'away' })
  away = false
  expect(await look('1', 1)).toBe(1)
})

test('One item can fail alone', async () => {
  const look = batchMisses<number, number>(
    async (items) => items.map((item) => (item === 1 ? new EbbError('odd', '') : item)),
    OPTIONS,
  )
  const answers = await Promise.allSettled([look('1', 1), look('2', 2)])
  expect(answers.map((answer) => answer.status)).toEqual(['rejected', 'fulfilled'])
})

test('Beyond the limit a question fails at once instead of waiting in memory', async () => {
  let release = () => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  const look = batchMisses<number, number>(async (items) => gate.then(() => items), OPTIONS)
  const waiting = Array.from({ length: 100 }, (_, item) => look(String(item), item))
  await expect(look('one more', 1)).rejects.toMatchObject({ code: 'subjects_unavailable' })
  release()
  expect(await Promise.all(waiting)).toHaveLength(100)
})
