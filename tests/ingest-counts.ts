import { type ClickHouseClient, createClickHouse } from '../clickhouse/client.ts'
import { readIngestProgress } from '../kafka/read-ingest-progress.ts'
import { createLogger } from '../runtime/logger.ts'
import type { Stage } from './stage.ts'

/** Every table that ingest and its views write. */
export const INGEST_TABLES = [
  'events_raw',
  'ingest_seen',
  'metrics_minute',
  'metrics_streaming_daily',
  'sessions',
  'click_patterns',
]

/** Events as each table counts them; equal to each other and to what was sent when nothing is lost or doubled. */
export interface StoredCounts {
  raw: number
  distinct: number
  minute: number
  daily: number
  sessions: number
}

export async function readStoredCounts(client: ClickHouseClient): Promise<StoredCounts> {
  const answer = await client.query({
    query: `SELECT toUInt32(count()) AS raw, toUInt32(uniqExact(event_id)) AS distinct,
      (SELECT toUInt32(sum(events)) FROM metrics_minute) AS minute,
      (SELECT toUInt32(sum(events)) FROM metrics_streaming_daily) AS daily,
      (SELECT toUInt32(sum(events)) FROM sessions) AS sessions FROM events_raw`,
    format: 'JSONEachRow',
  })
  const [counts] = await answer.json<StoredCounts>()
  return counts!
}

export function sameCounts(events: number): StoredCounts {
  return { raw: events, distinct: events, minute: events, daily: events, sessions: events }
}

/** Waits until every record that is in Kafka now is acknowledged by ingest. */
export async function waitUntilIngested(stage: Stage, timeoutMs = 180_000): Promise<void> {
  const logger = createLogger('test', 'silent')
  const deadline = Date.now() + timeoutMs
  const targets = new Map(
    (await readIngestProgress(stage.config, logger)).map((one) => [one.partition, one.high]),
  )
  for (;;) {
    const progress = await readIngestProgress(stage.config, logger)
    const behind = progress.filter(({ partition, committed, metadata }) => {
      const target = targets.get(partition) ?? 0
      return target > 0 && (committed < target || metadata === undefined || metadata.end !== committed)
    })
    if (behind.length === 0) return
    if (Date.now() > deadline) throw new Error(`not ingested in ${timeoutMs} ms: ${JSON.stringify(behind)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

export function openClickHouse(stage: Stage): ClickHouseClient {
  return createClickHouse(stage.config)
}
