import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { createEventProducer, type EventProducer } from '../../kafka/event-producer.ts'
import { createLogger } from '../../runtime/logger.ts'
import { type ClickHouseProxy, startClickHouseProxy } from '../clickhouse-proxy.ts'
import { openClickHouse, readStoredCounts, sameCounts, waitUntilIngested } from '../ingest-counts.ts'
import { type IngestProcess, startIngest } from '../ingest-process.ts'
import { makeRecords } from '../made-records.ts'
import { createStage, type Stage } from '../stage.ts'

let stage: Stage
let clickhouse: ClickHouseClient
let producer: EventProducer
const started: IngestProcess[] = []
const start = async (environment: Record<string, string> = {}) => {
  const ingest = await startIngest(stage, environment)
  started.push(ingest)
  return ingest
}

beforeEach(async () => {
  stage = await createStage()
  clickhouse = openClickHouse(stage)
  producer = await createEventProducer(stage.config, createLogger('test', 'silent'))
})
afterEach(async () => {
  await Promise.all(started.splice(0).map((ingest) => ingest.stop()))
  await producer.close()
  await clickhouse.close()
  await stage.close()
})

describe('members that come and go under load', () => {
  test('hand partitions over without losing or doubling an event', async () => {
    let sent = 0
    let sending = true
    const load = (async () => {
      while (sending) {
        await producer.send(makeRecords(sent, sent + 40))
        sent += 40
        await sleep(25)
      }
    })()
    const first = await start()
    await sleep(1_000)
    const second = await start()
    await sleep(2_000)
    first.kill('SIGKILL')
    await sleep(500)
    const third = await start()
    await sleep(1_000)
    second.kill('SIGTERM')
    expect(await second.ended).toBe(0)
    await sleep(1_500)
    sending = false
    await load
    await waitUntilIngested(stage)
    expect(await readStoredCounts(clickhouse)).toEqual(sameCounts(sent * 4))
    expect(third.lines.some((line) => line.msg === 'partitions owned')).toBe(true)
  })
})

describe('a zombie: a member that sleeps between declaring a cut and inserting it', () => {
  let proxy: ClickHouseProxy
  beforeEach(async () => {
    proxy = await startClickHouseProxy(stage.config.clickhouse.url)
  })
  afterEach(() => proxy.close())

  /** Its insert is on the way while others go on; it arrives after ClickHouse has forgotten the cut's token. */
  const wakeLate = async (environment: Record<string, string>) => {
    for (const table of [
      'events_raw',
      'metrics_minute',
      'metrics_streaming_daily',
      'sessions',
      'ingest_seen',
    ])
      await clickhouse.command({
        query: `ALTER TABLE ${table} MODIFY SETTING non_replicated_deduplication_window = 3`,
      })
    const zombie = await start({ EBB_CLICKHOUSE_URL: proxy.url, ...environment })
    const held = proxy.hold()
    await producer.send(makeRecords(0, 60))
    while (held.count() === 0) await sleep(20)
    zombie.kill('SIGSTOP')
    const sleptAt = Date.now()
    await start(environment)
    await waitUntilIngested(stage)
    for (let number = 60; number < 360; number += 30) {
      await producer.send(makeRecords(number, number + 30))
      await sleep(100)
    }
    await waitUntilIngested(stage)
    await sleep(Math.max(0, sleptAt + 10_500 - Date.now()))
    await held.release()
    zombie.kill('SIGCONT')
    await sleep(1_000)
    await producer.send(makeRecords(360, 400))
    await waitUntilIngested(stage)
    return readStoredCounts(clickhouse)
  }

  test('is refused once its deadline is over', async () => {
    expect(await wakeLate({})).toEqual(sameCounts(1_600))
  })

  test('would count twice without the deadline', async () => {
    const counts = await wakeLate({ EBB_DRILL: '1', EBB_INGEST_BREAK: 'no-deadline' })
    expect(counts.raw).toBeGreaterThan(1_600)
    expect(counts.distinct).toBe(1_600)
  })
})
