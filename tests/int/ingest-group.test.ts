import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { startClickHouseProxy } from '../clickhouse-proxy.ts'
import { type StoredCounts, sameCounts, waitUntilIngested } from '../ingest-counts.ts'
import { type IngestStage, onIngestStage } from '../ingest-stage.ts'
import { makeRecords } from '../made-records.ts'

const TABLES = ['events_raw', 'metrics_minute', 'metrics_streaming_daily', 'sessions', 'ingest_seen']

/** A zombie's insert is on the way while others go on; it arrives after ClickHouse has forgotten the cut's token. */
async function wakeLate(stage: IngestStage, environment: Record<string, string>): Promise<StoredCounts> {
  const proxy = await startClickHouseProxy(stage.stage.config.clickhouse.url)
  for (const table of TABLES)
    await stage.clickhouse.command({
      query: `ALTER TABLE ${table} MODIFY SETTING non_replicated_deduplication_window = 3`,
    })
  try {
    const zombie = await stage.start({ EBB_CLICKHOUSE_URL: proxy.url, ...environment })
    const held = proxy.hold()
    await stage.send(makeRecords(0, 60))
    while (held.count() === 0) await sleep(20)
    zombie.kill('SIGSTOP')
    const sleptAt = Date.now()
    await stage.start(environment)
    await waitUntilIngested(stage.stage)
    for (let number = 60; number < 180; number += 30) await stage.store(makeRecords(number, number + 30))
    await sleep(Math.max(0, sleptAt + 10_500 - Date.now()))
    await held.release()
    zombie.kill('SIGCONT')
    await sleep(500)
    return await stage.store(makeRecords(180, 220))
  } finally {
    await proxy.close()
  }
}

describe.concurrent('members that come and go under load', () => {
  test(
    'hand partitions over without losing or doubling an event',
    onIngestStage(async (stage) => {
      let sent = 0
      let sending = true
      const load = (async () => {
        while (sending) {
          await stage.send(makeRecords(sent, sent + 40))
          sent += 40
          await sleep(60)
        }
      })()
      const first = await stage.start()
      await sleep(1_000)
      const second = await stage.start()
      await sleep(2_000)
      first.kill('SIGKILL')
      await sleep(500)
      const third = await stage.start()
      await sleep(1_000)
      second.kill('SIGTERM')
      expect(await second.ended).toBe(0)
      await sleep(1_500)
      sending = false
      await load
      await waitUntilIngested(stage.stage)
      expect(await stage.counts()).toEqual(sameCounts(sent * 4))
      expect(third.lines.some((line) => line.msg === 'partitions owned')).toBe(true)
    }),
    300_000,
  )
})

describe.concurrent('a zombie: a member that sleeps between declaring a cut and inserting it', () => {
  test(
    'is refused once its deadline is over',
    onIngestStage(async (stage) => {
      expect(await wakeLate(stage, {})).toEqual(sameCounts(880))
    }),
    300_000,
  )
  test(
    'would count twice without the deadline',
    onIngestStage(async (stage) => {
      const counts = await wakeLate(stage, { EBB_DRILL: '1', EBB_INGEST_BREAK: 'no-deadline' })
      expect(counts.raw).toBeGreaterThan(880)
      expect(counts.distinct).toBe(880)
    }),
    300_000,
  )
})
