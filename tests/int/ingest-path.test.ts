import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { createEventProducer, type EventProducer } from '../../kafka/event-producer.ts'
import { createLogger } from '../../runtime/logger.ts'
import { openClickHouse, readStoredCounts, sameCounts, waitUntilIngested } from '../ingest-counts.ts'
import { type IngestProcess, startIngest } from '../ingest-process.ts'
import { makeRecords } from '../made-records.ts'
import { createStage, type Stage } from '../stage.ts'

describe('one member', () => {
  let stage: Stage
  let clickhouse: ClickHouseClient
  let producer: EventProducer
  let ingest: IngestProcess

  beforeAll(async () => {
    stage = await createStage()
    clickhouse = openClickHouse(stage)
    producer = await createEventProducer(stage.config, createLogger('test', 'silent'))
    ingest = await startIngest(stage)
  })
  afterAll(async () => {
    await ingest.stop()
    await producer.close()
    await clickhouse.close()
    await stage.close()
  })

  test('stores every event once, in the raw table and in every view', async () => {
    await producer.send(makeRecords(0, 500))
    await waitUntilIngested(stage)
    expect(await readStoredCounts(clickhouse)).toEqual(sameCounts(2_000))
  })

  test('counts a batch that the client sent again once, also in the same cut', async () => {
    await producer.send(makeRecords(0, 100))
    await producer.send([...makeRecords(1_000, 1_010), ...makeRecords(1_000, 1_010)])
    await waitUntilIngested(stage)
    expect(await readStoredCounts(clickhouse)).toEqual(sameCounts(2_040))
  })

  test('answers health and metrics, and ends cleanly on SIGTERM', async () => {
    const text = await (await fetch(ingest.metricsUrl)).text()
    expect(text).toMatch(/ebb_ingest_events_total\{result="stored",process="ingest"\} 2040/)
    expect(text).toMatch(/ebb_ingest_events_total\{result="duplicate",process="ingest"\} 440/)
    expect((await fetch(ingest.metricsUrl.replace('metrics', 'health'))).status).toBe(200)
    ingest.kill('SIGTERM')
    expect(await ingest.ended).toBe(0)
  })
})
