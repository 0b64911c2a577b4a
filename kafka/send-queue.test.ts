import { describe, expect, test } from 'vitest'
import type { EventMessage } from './encode-event-record.ts'
import { createRejectionCounts } from './rejection-counts.ts'
import { createSendQueue } from './send-queue.ts'

const message = (bytes = 100): EventMessage => ({
  key: Buffer.alloc(16),
  value: Buffer.alloc(bytes),
  partition: 0,
  headers: {},
})
const turn = () => new Promise((resolve) => setTimeout(resolve, 40))

/** A queue whose sends are answered by hand. */
function byHand(maxPendingBytes = 1_000_000) {
  const sends: { size: number; answer(): void; refuse(error: Error): void }[] = []
  const queue = createSendQueue({
    maxPendingBytes,
    transmit: (messages) =>
      new Promise((resolve, reject) =>
        sends.push({ size: messages.length, answer: resolve, refuse: reject }),
      ),
  })
  return { sends, queue }
}

describe('the send queue', () => {
  test('sends at once when nothing is in flight, and all of one turn together', async () => {
    const { sends, queue } = byHand()
    const all = [queue.send([message()]), queue.send([message(), message()])]
    await turn()
    expect(sends.map(({ size }) => size)).toEqual([3])
    sends[0]!.answer()
    await Promise.all(all)
    expect(queue.pendingBytes()).toBe(0)
  })
  test('keeps several sends of a bounded size in flight, and no more', async () => {
    const { sends, queue } = byHand()
    const sent = queue.send(Array.from({ length: 2_000 }, () => message()))
    await turn()
    expect(sends.map(({ size }) => size)).toEqual([300, 300, 300, 300, 300])
    while (sends.length > 0) {
      sends.shift()!.answer()
      await turn()
    }
    await sent
  })
  test('bounds a send in bytes too, and never splits a record', async () => {
    const { sends, queue } = byHand(20_000_000)
    const mega = 1024 * 1024
    void queue.send([message(3 * mega), message(mega), message(mega / 2), message(mega)])
    await turn()
    expect(sends.map(({ size }) => size)).toEqual([1, 2, 1])
  })
  test('gathers for a few milliseconds while a send is in flight', async () => {
    const { sends, queue } = byHand()
    void queue.send([message()])
    await turn()
    void queue.send([message()])
    void queue.send([message()])
    expect(sends).toHaveLength(1)
    await turn()
    expect(sends.map(({ size }) => size)).toEqual([1, 2])
  })
  test('tells a failure to those whose records were in the send, and goes on', async () => {
    const { sends, queue } = byHand()
    const failed = queue.send([message()])
    await turn()
    const next = queue.send([message()])
    sends[0]!.refuse(new Error('away'))
    await expect(failed).rejects.toThrow('away')
    await turn()
    sends[1]!.answer()
    await next
  })
  test('refuses what would exceed its memory', async () => {
    const { queue } = byHand(500)
    void queue.send([message(300)])
    await expect(queue.send([message(300)])).rejects.toMatchObject({ code: 'producer_full' })
  })
  test('closes after all that waits was answered, and takes nothing more', async () => {
    const { sends, queue } = byHand()
    const sent = queue.send([message()])
    const closed = queue.close()
    await expect(queue.send([message()])).rejects.toMatchObject({ code: 'producer_closed' })
    sends[0]!.answer()
    await Promise.all([sent, closed])
  })
})

describe('counts of rejections', () => {
  const rejection = { app: 'a', code: 'c', event: 'e', count: 2, at: 1 }
  test('are summed by app, code and event', () => {
    const counts = createRejectionCounts()
    counts.add(rejection)
    counts.add({ ...rejection, at: 5 })
    counts.add({ ...rejection, event: 'f' })
    expect(counts.take()).toEqual([
      { ...rejection, count: 4, at: 5 },
      { ...rejection, event: 'f' },
    ])
    expect(counts.take()).toEqual([])
  })
  test('give up names before they give up counts', () => {
    const counts = createRejectionCounts(2)
    for (let index = 0; index < 50; index++)
      counts.add({ ...rejection, app: `a${index}`, event: `e${index}` })
    const taken = counts.take()
    expect(taken.length).toBe(3)
    expect(taken.reduce((sum, { count }) => sum + count, 0)).toBe(100)
  })
})
