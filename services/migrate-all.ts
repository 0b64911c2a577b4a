import { migrateClickHouse } from '../clickhouse/migrate.ts'
import { migratePostgres } from '../postgres/migrate.ts'
import type { Config } from '../runtime/config.ts'

/** Brings databases, tables, views and topics to what this version expects; what is there already is left alone. */
export async function migrateAll(
  config: Config,
  report: (line: string) => void = () => undefined,
): Promise<void> {
  const step = async (name: string, migrate: () => Promise<void>) => {
    const startedAt = Date.now()
    await migrate()
    report(`${name}: migrated in ${((Date.now() - startedAt) / 1_000).toFixed(1)} s`)
  }
  await Promise.all([
    step('postgres', () => migratePostgres(config)),
    step('clickhouse', () => migrateClickHouse(config)),
    step('kafka', () => ensureTopics(config)),
  ])
}

async function ensureTopics(config: Config): Promise<void> {
  const path = new URL('../kafka/topics.ts', import.meta.url).href
  const topics = (await import(path)) as { ensureTopics(config: Config): Promise<void> }
  await topics.ensureTopics(config)
}
