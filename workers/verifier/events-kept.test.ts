import { expect, test } from 'vitest'
import { createHasEventsBefore } from './events-kept.ts'

/** A topic of one partition whose oldest kept record came at this moment. */
function topicFrom(oldestMs: number) {
  const questions: number[] = []
  const ask = createHasEventsBefore(async (afterMs) => {
    questions.push(afterMs)
    return [{ low: 10, firstAfter: afterMs > oldestMs ? 11 : 10 }]
  })
  return { ask, questions }
}

test('a thousand moments are told apart with some questions', async () => {
  const { ask, questions } = topicFrom(500)
  const moments = Array.from({ length: 1_000 }, (_, at) => at)
  const answers = await Promise.all(moments.map(ask))
  expect(answers).toEqual(moments.map((moment) => moment > 500))
  expect(questions.length).toBeLessThanOrEqual(11)
})

test('one that holds nothing, and one that holds all', async () => {
  const moments = [3, 1, 2]
  expect(await Promise.all(moments.map(topicFrom(100).ask))).toEqual([false, false, false])
  expect(await Promise.all(moments.map(topicFrom(0).ask))).toEqual([true, true, true])
})
