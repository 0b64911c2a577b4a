import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { Client } from 'pg'
import { inject } from 'vitest'
import { createClickHouse } from '../clickhouse/client.ts'
import { dropS3Collections } from '../clickhouse/s3-collections.ts'
import { slotName } from '../postgres/wal-slot.ts'
import { databaseOf } from '../postgres/with-session.ts'
import { type Config, readConfig } from '../runtime/config.ts'
import { dropBuckets } from '../s3/buckets.ts'
import { migrateAll } from '../services/migrate-all.ts'
import { withDatabase } from '../services/postgres.ts'

export interface Stage {
  config: Config
  /** The EBB_* that `config` was read from: what a process under test gets. */
  environment: Record<string, string>
  /** Drops all that the stage made. */
  close(): Promise<void>
}

export interface StageOptions {
  /** false leaves the databases and topics for the test to make. */
  migrate?: boolean
  /** More EBB_* keys, or others instead. */
  environment?: Record<string, string>
}

/**
 * A test's own corner of the shared engines: a fresh ClickHouse database (and its `bi_…`), two fresh Postgres databases, a
 * topic prefix, a task queue and a home; all migrated.
 */
export async function createStage(options: StageOptions = {}): Promise<Stage> {
  const name = `t_${randomBytes(5).toString('hex')}`
  const home = await mkdtemp(join(tmpdir(), 'ebb-stage-'))
  const engines = inject('engines')
  const environment: Record<string, string> = {
    ...engines,
    EBB_HOME: home,
    EBB_LOG_LEVEL: 'warn',
    EBB_TOPIC_PREFIX: `${name}.`,
    EBB_CLICKHOUSE_DATABASE: name,
    EBB_POSTGRES_URL: withDatabase(engines.EBB_POSTGRES_URL ?? '', name),
    EBB_KEYRING_URL: withDatabase(engines.EBB_KEYRING_URL ?? '', `${name}_keyring`),
    ...verifierUrls(engines, name),
    EBB_TEMPORAL_TASK_QUEUE: name,
    EBB_BUCKET_PREFIX: `${name.replace('_', '-')}-`,
    EBB_COLLECTOR_PORT: '0',
    EBB_METRICS_PORT: '0',
    ...options.environment,
  }
  const config = readConfig(environment)
  if (options.migrate !== false) await migrateAll(config)
  return {
    config,
    environment,
    async close() {
      await Promise.allSettled([
        dropClickHouse(config),
        dropPostgres(config),
        dropTopics(config),
        dropBuckets(config),
      ])
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** The verifier's own role, on engines that have it. */
function verifierUrls(engines: Record<string, string>, name: string): Record<string, string> {
  const { EBB_VERIFIER_POSTGRES_URL: url, EBB_VERIFIER_KEYRING_URL: keyringUrl } = engines
  if (!url || !keyringUrl) return {}
  return {
    EBB_VERIFIER_POSTGRES_URL: withDatabase(url, name),
    EBB_VERIFIER_KEYRING_URL: withDatabase(keyringUrl, `${name}_keyring`),
  }
}

async function dropClickHouse(config: Config): Promise<void> {
  await dropS3Collections(config)
  const client = createClickHouse(config, { database: '' })
  try {
    for (const database of [config.clickhouse.biDatabase, config.clickhouse.database]) {
      await client.command({ query: `DROP DATABASE IF EXISTS ${database}` })
    }
  } finally {
    await client.close()
  }
}

async function dropPostgres(config: Config): Promise<void> {
  const client = new Client({ connectionString: withDatabase(config.postgres.url, 'postgres') })
  await client.connect()
  try {
    for (const url of [config.postgres.url, config.postgres.keyringUrl]) {
      const slot = slotName(databaseOf(url))
      await client.query(
        'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1',
        [slot],
      )
      await client.query(`DROP DATABASE IF EXISTS "${new URL(url).pathname.slice(1)}" WITH (FORCE)`)
    }
  } finally {
    await client.end()
  }
}

async function dropTopics(config: Config): Promise<void> {
  const admin = new Kafka({ brokers: config.kafka.brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const own = (await admin.listTopics()).filter((topic) => topic.startsWith(config.kafka.topicPrefix))
    if (own.length > 0) await admin.deleteTopics({ topics: own })
  } finally {
    await admin.disconnect()
  }
}
