import { migrateClickHouse } from '../clickhouse/migrate.ts'
import { ensureS3Collections } from '../clickhouse/s3-collections.ts'
import { ensureTopics } from '../kafka/topics.ts'
import { migratePostgres } from '../postgres/migrate.ts'
import type { Config } from '../runtime/config.ts'
import { createLogger } from '../runtime/logger.ts'
import { startWhenReady } from '../runtime/start-when-ready.ts'
import { ensureBuckets } from '../s3/buckets.ts'

/** Brings databases, tables, views, topics and buckets to what this version expects; what is there already is left alone. */
export async function migrateAll(
  config: Config,
  report: (line: string) => void = () => undefined,
): Promise<void> {
  const logger = createLogger('migrate', config.logLevel)
  const step = async (name: string, migrate: () => Promise<void>) => {
    const startedAt = Date.now()
    await migrate()
    report(`${name}: migrated in ${((Date.now() - startedAt) / 1_000).toFixed(1)} s`)
  }
  await Promise.all([
    step('postgres', () => migratePostgres(config)),
    step('clickhouse', () => migrateClickHouse(config)),
    step('clickhouse collections', () => ensureS3Collections(config)),
    // A broker that has just come up, on a busy machine, may close connections for a while yet.
    step('kafka', () => startWhenReady(logger, 'kafka', () => ensureTopics(config))),
    step('s3', () => ensureBuckets(config)),
  ])
}
