import { expect, test } from 'vitest'
import type { Rejection } from '../schemas/event-record.ts'
import { createRejectionCounts } from './rejection-counts.ts'
import { sendRejections } from './send-rejections.ts'

test('a portion that fails stays counted, and the one that was sent before it is not counted again', async () => {
  const counts = createRejectionCounts()
  for (let number = 0; number < 700; number++)
    counts.add({ app: `app${number}`, code: 'unknown_event', event: '', count: 2, at: number })
  const sent: Rejection[] = []
  let sends = 0
  const send = async (rejections: Rejection[]) => {
    sends++
    if (sends === 2) throw new Error('away')
    sent.push(...rejections)
  }
  await expect(sendRejections(counts, send)).rejects.toThrow('away')
  await sendRejections(counts, send)
  expect(sent.map(({ app }) => app).sort()).toEqual(
    Array.from({ length: 700 }, (_, number) => `app${number}`).sort(),
  )
  expect(new Set(sent.map(({ count }) => count))).toEqual(new Set([2]))
})
