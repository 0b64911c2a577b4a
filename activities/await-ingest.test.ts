import { MockActivityEnvironment } from '@temporalio/testing'
import { describe, expect, it } from 'vitest'
import { createAwaitIngest } from './await-ingest.ts'

const targets = { offsets: [[0, 100]] as [number, number][] }

/** Progress that says one committed offset after the other; the last one stays. */
function progressOf(...committed: number[]) {
  let calls = 0
  return async () => {
    const offset = committed[Math.min(calls++, committed.length - 1)] ?? 0
    return [{ partition: 0, low: 0, high: 500, committed: offset }]
  }
}

describe('waiting for ingest', () => {
  it('ends as soon as the target is committed, and beats with what is behind', async () => {
    const environment = new MockActivityEnvironment()
    const beats: unknown[] = []
    environment.on('heartbeat', (details) => beats.push(details))
    const result = await environment.run(createAwaitIngest(progressOf(40, 100)), { targets })
    expect(result).toEqual({ behind: 0 })
    expect(beats).toEqual([{ behind: 60 }, { behind: 0 }])
  })

  it('ends in bounded time with what is still behind', async () => {
    const environment = new MockActivityEnvironment()
    const result = await environment.run(createAwaitIngest(progressOf(40), 1), { targets })
    expect(result).toEqual({ behind: 60 })
  })

  it('ends at once when it is cancelled', async () => {
    const environment = new MockActivityEnvironment()
    environment.on('heartbeat', () => environment.cancel())
    const run = environment.run(createAwaitIngest(progressOf(40)), { targets })
    await expect(run).rejects.toThrow(/CANCELLED/)
  })
})
