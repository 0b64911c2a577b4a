import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createEventProducer } from '../../kafka/event-producer.ts'
import { createLogger } from '../../runtime/logger.ts'
import { openClickHouse, readStoredCounts, sameCounts, waitUntilIngested } from '../ingest-counts.ts'
import { startIngest } from '../ingest-process.ts'
import { makeRecords } from '../made-records.ts'
import { createStage, type Stage } from '../stage.ts'

const silent = createLogger('test', 'silent')

/** Sends records in portions, so that there are several cuts, while ingest runs into a fault. */
async function sendPortions(stage: Stage, from: number, to: number): Promise<void> {
  const producer = await createEventProducer(stage.config, silent)
  for (let at = from; at < to; at += 25) {
    await producer.send(makeRecords(at, Math.min(at + 25, to)))
    await sleep(200)
  }
  await producer.close()
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
        await sendPortions(stage, 0, 300)
        expect(await Promise.race([victim.ended, sleep(10_000, 'still alive')])).toBe('SIGKILL')

        const heir = await startIngest(stage)
        // The clients saw errors and send again what they sent.
        await sendPortions(stage, 200, 400)
        await waitUntilIngested(stage)
        expect(await readStoredCounts(clickhouse)).toEqual(sameCounts(1_600))
        await heir.stop()
      } finally {
        await clickhouse.close()
        await stage.close()
      }
    },
    90_000,
  )
})
