import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createEventProducer } from '../../kafka/event-producer.ts'
import { createLogger } from '../../runtime/logger.ts'
import { openClickHouse, readStoredCounts, sameCounts, waitUntilIngested } from '../ingest-counts.ts'
import { startIngest } from '../ingest-process.ts'
import { makeRecords } from '../made-records.ts'
import { createStage, type Stage } from '../stage.ts'

const silent = createLogger('test', 'silent')

/** Sends records in portions, so that there are several cuts. @returns the number of the next record */
async function sendPortions(stage: Stage, from: number, until: (next: number) => boolean): Promise<number> {
  const producer = await createEventProducer(stage.config, silent)
  let next = from
  for (; !until(next); next += 25) {
    await producer.send(makeRecords(next, next + 25))
    await sleep(150)
  }
  await producer.close()
  return next
}

const POINTS = [
  'ingest.before-declare',
  'ingest.after-declare',
  'ingest.before-insert',
  'ingest.after-insert',
  'ingest.after-seen',
  'ingest.before-ack',
  'ingest.after-ack',
]

describe.concurrent('a member that is killed', () => {
  test.each(POINTS)(
    'at %s loses nothing and counts nothing twice',
    async (point) => {
      const stage = await createStage()
      const clickhouse = openClickHouse(stage)
      try {
        const victim = await startIngest(stage, { EBB_FAULT: `${point}:3` })
        const giveUpAt = Date.now() + 120_000
        let dead = false
        void victim.ended.then(() => {
          dead = true
        })
        const sent = await sendPortions(stage, 0, () => dead || Date.now() > giveUpAt)
        expect(await Promise.race([victim.ended, sleep(100, 'still alive')])).toBe('SIGKILL')

        const heir = await startIngest(stage)
        // The clients saw errors and send again what they sent.
        const all = await sendPortions(stage, Math.max(0, sent - 75), (next) => next >= sent + 75)
        await waitUntilIngested(stage)
        expect(await readStoredCounts(clickhouse)).toEqual(sameCounts(all * 4))
        await heir.stop()
      } finally {
        await clickhouse.close()
        await stage.close()
      }
    },
    300_000,
  )
})
