import { describe, expect, test } from 'vitest'
import { createAppliedRevocations } from './applied-revocations.ts'

const open = (head: number) => {
  const log = { head }
  const over = new AbortController()
  return { log, over, applied: createAppliedRevocations(async () => log.head, 5) }
}

describe('whoever waits for revocations', () => {
  test('goes on as soon as they are applied', async () => {
    const { applied, over } = open(7)
    const read = applied.readToHead(over.signal)
    applied.advance(3)
    expect(await Promise.race([read, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))])).toBe(
      'waits',
    )
    applied.advance(7)
    expect(await read).toBe(7)
    await applied.readTo(6, over.signal)
  })
  test('is let go when its session is over, though they never come', async () => {
    const { applied, over } = open(500)
    const reads = [applied.readTo(500, over.signal), applied.readToHead(over.signal)]
    over.abort()
    for (const read of reads) await expect(read).rejects.toMatchObject({ code: 'session_over' })
    await expect(applied.readTo(500, over.signal)).rejects.toMatchObject({ code: 'session_over' })
  })
  test('is refused when the topic ends before what was read of it', async () => {
    const { applied, over, log } = open(500)
    applied.advance(500)
    log.head = 3
    await expect(applied.readToHead(over.signal)).rejects.toMatchObject({ code: 'revocations_lost' })
  })
  test('is not refused for an end that was asked before more was read', async () => {
    const over = new AbortController()
    let answer: (head: number) => void = () => {}
    const applied = createAppliedRevocations(() => new Promise((resolve) => (answer = resolve)), 5)
    applied.advance(5)
    const read = applied.readToHead(over.signal)
    applied.advance(9)
    answer(7)
    expect(await read).toBe(7)
  })
})
