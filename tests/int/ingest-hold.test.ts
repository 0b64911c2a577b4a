import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { holdIngest, whenQuiet } from '../../kafka/ingest-hold.ts'
import { createLogger } from '../../runtime/logger.ts'
import { sameCounts, waitUntilIngested } from '../ingest-counts.ts'
import { type IngestStage, onIngestStage } from '../ingest-stage.ts'
import { makeRecords } from '../made-records.ts'

const silent = createLogger('test', 'silent')
const hold = (stage: IngestStage, ms: number) =>
  holdIngest(stage.stage.config, silent, { untilMs: Date.now() + ms })

// Much of their time is waiting, so they go side by side, each on a stage of its own.
describe.concurrent('held ingest', { timeout: 300_000 }, () => {
  test(
    'inserts nothing until it is let go, and then all, once; also what a member that starts meanwhile finds',
    onIngestStage(async (stage) => {
      await stage.start()
      expect(await stage.store(makeRecords(0, 20))).toEqual(sameCounts(80))
      const held = await hold(stage, 60_000)
      await held.waitHeld()
      await stage.send(makeRecords(20, 40))
      await stage.start()
      await sleep(4_000)
      expect(await stage.counts()).toEqual(sameCounts(80))
      for (const { committed, metadata } of await stage.progress()) expect(metadata?.end).toBe(committed)
      await held.release()
      await waitUntilIngested(stage.stage)
      expect(await stage.counts()).toEqual(sameCounts(160))
    }),
  )

  test(
    'goes on by itself when the hold is over and its holder is gone',
    onIngestStage(async (stage) => {
      await stage.start()
      await stage.store(makeRecords(0, 20))
      await sleep(12_500)
      const held = await hold(stage, 9_000)
      await held.waitHeld()
      await stage.send(makeRecords(20, 40))
      await sleep(1_500)
      expect(await stage.counts()).toEqual(sameCounts(80))
      await waitUntilIngested(stage.stage)
      expect(await stage.counts()).toEqual(sameCounts(160))
      expect(held.leftMs()).toBe(0)
      await held.release()
    }),
  )

  test(
    'a cut that a dead member declared is repeated before the hold is granted, not within it',
    onIngestStage(async (stage) => {
      const victim = await stage.start({ EBB_FAULT: 'ingest.before-insert:1' })
      await stage.send(makeRecords(0, 20))
      await victim.ended
      const held = await hold(stage, 60_000)
      let granted = false
      const waiting = held.waitHeld().then(() => {
        granted = true
      })
      await sleep(1_500)
      expect(granted).toBe(false)
      await stage.start()
      await waiting
      const within = await stage.counts()
      // What the victim had declared is in; the other partitions' records wait.
      await sleep(2_000)
      expect(await stage.counts()).toEqual(within)
      await held.release()
      await waitUntilIngested(stage.stage)
      expect(await stage.counts()).toEqual(sameCounts(80))
    }),
  )

  test(
    'a member that sleeps with a declared cut cannot insert it within the hold',
    onIngestStage(async (stage) => {
      const zombie = await stage.start({ EBB_FAULT: 'ingest.before-insert:1:stop' })
      await stage.send(makeRecords(0, 20))
      await sleep(1_500)
      await stage.start()
      const held = await hold(stage, 60_000)
      await held.waitHeld()
      // As if a table were rebuilt within the hold: it knows no token any more, and nothing may write into it.
      for (const table of ['events_raw', 'metrics_minute', 'metrics_streaming_daily', 'sessions'])
        await stage.clickhouse.command({ query: `TRUNCATE TABLE ${table}` })
      zombie.kill('SIGCONT')
      await sleep(3_000)
      expect((await stage.counts()).raw).toBe(0)
      await held.release()
    }),
  )
})

test('A hold is not granted where a partition has not seen it, still writes, or changed hands a moment ago', () => {
  const epoch = 'abcdef'
  const seen = (metadata: object) => [
    {
      partition: 0,
      low: 0,
      high: 9,
      committed: 5,
      metadata: { end: 5, rev: 8, epoch, era: '0', since: 0, ...metadata },
    },
  ]
  const now = 1_000_000
  expect(whenQuiet(seen({}), 7, now)).toBe(now)
  expect(whenQuiet(seen({}), 8, now)).toBeUndefined()
  expect(whenQuiet(seen({ end: 6 }), 7, now)).toBeUndefined()
  expect(whenQuiet([{ ...seen({})[0]!, metadata: undefined }], 7, now)).toBeUndefined()
  expect(whenQuiet(seen({ since: now }), 7, now)).toBe(now + 12_000)
  expect(whenQuiet(seen({ since: undefined }), 7, now)).toBe(now + 12_000)
})
