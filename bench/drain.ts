import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type ClickHouseClient, createClickHouse } from '../clickhouse/client.ts'
import { migrateClickHouse } from '../clickhouse/migrate.ts'
import { prefixed } from '../kafka/client.ts'
import { ensureTopics } from '../kafka/topics.ts'
import { type Config, readConfig } from '../runtime/config.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { ROW_COLUMNS } from '../schemas/event-row.ts'
import { startEngines } from '../services/start-engines.ts'
import type { RunningPlatform } from '../services/start-platform.ts'
import { CUT_MAX_ROWS } from '../workers/ingest/limits.ts'
import { fillTopic } from './fill-topic.ts'
import { readProcessFigures, startCpuClock } from './process-figures.ts'
import { countEvents } from './watch-arrivals.ts'

const POLL_MS = 100
/** A drain that makes no progress for this long has failed. */
const STALL_MS = 60_000

export interface Drain {
  events: number
  /** From the first rows seen to the last, without what was there when they were first seen. */
  eventsPerS: number
}

/** Watches a table grow to `events` rows, by counting. @throws when it stalls or grows beyond */
export async function timeDrain(client: ClickHouseClient, events: number): Promise<Drain> {
  let firstAt = 0
  let first = 0
  let last = 0
  let lastAt = Date.now()
  while (last < events) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    const count = await countEvents(client, 'bench')
    const now = Date.now()
    if (count > last) {
      if (first === 0) {
        first = count
        firstAt = now
      }
      last = count
      lastAt = now
    } else if (now - lastAt > STALL_MS) {
      throw new Error(`the drain stopped at ${last} of ${events} events`)
    }
  }
  if (last > events) throw new Error(`${last} events arrived, ${events} were sent`)
  return { events, eventsPerS: Math.round(((last - first) * 1000) / (lastAt - firstAt)) }
}

/**
 * Drains the topic with what a user would pick instead of our ingest: ClickHouse's own Kafka table engine and a
 * materialized view, into a second database with the same tables and views. At least once, and it knows no revocations.
 */
export async function drainWithKafkaEngine(
  config: Config,
  options: { events: number; consumers: number },
): Promise<Drain> {
  const database = `bench_engine_${randomBytes(3).toString('hex')}`
  const own: Config = {
    ...config,
    clickhouse: { ...config.clickhouse, database, biDatabase: `bi_${database}` },
  }
  await migrateClickHouse(own)
  const client = createClickHouse(own, { requestTimeoutMs: 120_000 })
  const columns = ROW_COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ')
  const names = ROW_COLUMNS.map(([name]) => name).join(', ')
  try {
    await client.command({
      query: `CREATE TABLE events_queue (${columns}) ENGINE = Kafka SETTINGS
        kafka_broker_list = '${config.kafka.brokers.join(',')}', kafka_topic_list = '${prefixed(config, TOPICS.events)}',
        kafka_group_name = '${database}', kafka_format = 'RowBinary', kafka_num_consumers = ${options.consumers},
        kafka_thread_per_consumer = 1, kafka_max_block_size = ${CUT_MAX_ROWS}`,
    })
    await client.command({
      query: `CREATE MATERIALIZED VIEW events_drain TO events_raw AS SELECT ${names} FROM events_queue`,
    })
    return await timeDrain(client, options.events)
  } finally {
    await client.command({ query: 'DROP TABLE IF EXISTS events_drain' })
    await client.command({ query: 'DROP TABLE IF EXISTS events_queue' })
    await client.command({ query: `DROP DATABASE IF EXISTS bi_${database}` })
    await client.command({ query: `DROP DATABASE ${database}` })
    await client.close()
  }
}

/**
 * The Kafka engine has a server of its own, with all the memory it asks for: it counts more than it holds, and within the 1.2 GB that
 * do for our inserts it stopped at 5 million records.
 */
const RIVAL_MEMORY_BYTES = 12_000_000_000

/** @returns the better of one consumer and two, events a second */
async function measureRival(config: Config, events: number, say: (line: string) => void): Promise<number> {
  const server = await startEngines({
    home: join(config.home, 'rival'),
    ports: 'free',
    only: ['clickhouse'],
    environment: { ...process.env, EBB_CLICKHOUSE_MEMORY_BYTES: String(RIVAL_MEMORY_BYTES) },
  })
  const { url } = readConfig(server.environment).clickhouse
  const rival = { ...config, clickhouse: { ...config.clickhouse, url } }
  try {
    let best = 0
    for (const consumers of [1, 2]) {
      const drained = await drainWithKafkaEngine(rival, { events, consumers })
      say(
        `drained by the Kafka engine, ${consumers} consumer(s), at least once: ${drained.eventsPerS} events/s`,
      )
      best = Math.max(best, drained.eventsPerS)
    }
    return best
  } finally {
    await server.stop()
  }
}

export interface DrainFigures {
  drainEventsPerS: number
  /** Of our ingest, while it emptied the topic. */
  drainPeakRssBytes: number
  kafkaEngineDrainEventsPerS: number
  /** Ours through theirs, on the same records. */
  drainRatio: number
  drainCpuSPerMillionEvents: Record<string, number>
}

/**
 * A topic and tables of their own, filled while no ingest runs; then one ingest empties it. Then ClickHouse's Kafka engine
 * empties the same records into a further set of tables, with one consumer and with two: the better one counts.
 */
export async function measureDrain(deps: {
  platform: RunningPlatform
  events: number
  people: number
  say(line: string): void
}): Promise<DrainFigures> {
  const { platform, events, people, say } = deps
  const corner = { EBB_TOPIC_PREFIX: 'drain_', EBB_CLICKHOUSE_DATABASE: 'drain' }
  const config = readConfig({ ...platform.environment, ...corner })
  await Promise.all([ensureTopics(config), migrateClickHouse(config)])
  say(`\ndrain: filling a topic with ${events} events`)
  let told = 0
  const filled = await fillTopic(config, {
    events,
    people,
    app: 'bench',
    onProgress(count) {
      if (count - told < 1_000_000) return
      told = count
      say(`  ${count} events`)
    },
  })
  const client = createClickHouse(config, { requestTimeoutMs: 120_000 })
  await platform.startProcess({ kind: 'ingest', name: 'ingest-drain', environment: corner })
  const stopClock = startCpuClock(platform.processes)
  const own = await timeDrain(client, filled)
  const cpu = stopClock()
  const ingest = platform.processes.find(({ name }) => name === 'ingest-drain')
  const drainPeakRssBytes = (ingest && readProcessFigures(ingest.pid)?.peakRssBytes) ?? 0
  platform.kill('ingest-drain', 'SIGTERM')
  say(`drained by ingest, exactly once: ${own.eventsPerS} events/s`)
  await client.close()
  const engine = await measureRival(config, filled, say)
  return {
    drainEventsPerS: own.eventsPerS,
    drainPeakRssBytes,
    kafkaEngineDrainEventsPerS: engine,
    drainRatio: Math.round((own.eventsPerS / engine) * 100) / 100,
    drainCpuSPerMillionEvents: Object.fromEntries(
      Object.entries(cpu).map(([name, s]) => [name, Math.round((s * 1e8) / filled) / 100]),
    ),
  }
}
