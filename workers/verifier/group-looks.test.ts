import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { groupLooks } from './group-looks.ts'

function lookingFor(restMs: number, most?: number) {
  const looks: { questions: number[]; at: number }[] = []
  const ask = groupLooks<number, number>(
    restMs,
    async (questions) => {
      looks.push({ questions, at: performance.now() })
      if (questions.includes(-1)) throw new Error('away')
      return questions.map((one) => one * 10)
    },
    most,
  )
  return { ask, looks }
}

describe('looks that are shared', () => {
  test('answer each question, those that come together with one look', async () => {
    const { ask, looks } = lookingFor(0)
    expect(await Promise.all([ask(1), ask(2), ask(3)])).toEqual([10, 20, 30])
    expect(looks.map(({ questions }) => questions)).toEqual([[1, 2, 3]])
  })

  test('rest in between, so that those who come one after the other share one too', async () => {
    const { ask, looks } = lookingFor(400)
    await ask(1)
    const later = [2, 3, 4].map(async (one) => {
      await sleep(one * 20)
      return await ask(one)
    })
    expect(await Promise.all(later)).toEqual([20, 30, 40])
    expect(looks.map(({ questions }) => questions)).toEqual([[1], [2, 3, 4]])
    expect(looks[1]!.at - looks[0]!.at).toBeGreaterThan(350)
  })

  test('begin at once for who asks alone and after the rest', async () => {
    const { ask, looks } = lookingFor(1_000)
    await ask(1)
    await sleep(1_050)
    const asked = performance.now()
    await ask(2)
    expect(looks[1]!.at - asked).toBeLessThan(500)
  })

  test('take no more than they are to at once', async () => {
    const { ask, looks } = lookingFor(0, 2)
    await Promise.all([ask(1), ask(2), ask(3)])
    expect(looks.map(({ questions }) => questions)).toEqual([[1, 2], [3]])
  })

  test('that fail are everyone’s error, and the next one is a new one', async () => {
    const { ask } = lookingFor(0)
    await expect(Promise.allSettled([ask(-1), ask(1)])).resolves.toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ])
    expect(await ask(1)).toBe(10)
  })
})
