import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { PROJECT_ROOT } from '../runtime/project-root.ts'
import { askRows } from './await-parts-gone.ts'
import { type ClickHouseClient, createClickHouse } from './client.ts'
import { migrateUsers } from './migrate-users.ts'
import { type MigrationParameters, readMigrations } from './read-migrations.ts'

/** Codes of the errors that migrations throw. */
export type MigrationErrorCode =
  | 'clickhouse_too_old'
  | 'bad_migration'
  | 'migration_changed'
  | 'migration_unknown'
  | 'migration_failed'

const FOLDER = pathToFileURL(join(PROJECT_ROOT, 'clickhouse/sql/'))
const TIMEOUT_MS = 120_000

/** The first that knows `deduplicate_insert`, on which exactly-once rests (insert-events.ts). */
const OLDEST = { year: 26, release: 2 }

/** Databases and tables by `migrateTables`, then the users that read them. @throws what `migrateTables` throws */
export async function migrateClickHouse(config: Config, folder: URL = FOLDER): Promise<void> {
  await migrateTables(config, folder)
  const client = createClickHouse(config, { database: '', requestTimeoutMs: TIMEOUT_MS })
  try {
    await migrateUsers(client, config)
  } finally {
    await client.close()
  }
}

/**
 * Brings the configured databases to the newest numbered SQL file, and grants them to nobody. Idempotent: a file that was
 * applied is skipped, one that was cut short is run again from its first statement (each is IF NOT EXISTS or OR REPLACE). Two
 * processes may migrate at once.
 * @throws EbbError `clickhouse_too_old`, `migration_changed` when an applied file's text has changed since,
 *   `migration_unknown` when the database is newer than this code, `migration_failed` naming file and statement.
 */
export async function migrateTables(config: Pick<Config, 'clickhouse'>, folder: URL = FOLDER): Promise<void> {
  const parameters: MigrationParameters = {
    database: config.clickhouse.database,
    biDatabase: config.clickhouse.biDatabase,
    cluster: config.clickhouse.cluster,
  }
  const migrations = await readMigrations(folder, parameters)
  const client = createClickHouse(config, { database: '', requestTimeoutMs: TIMEOUT_MS })
  try {
    refuseOldServer(await readVersion(client))
    const applied = await prepare(client, parameters)
    const newest = Math.max(0, ...applied.keys())
    if (newest > migrations.length) {
      throw new EbbError(
        'migration_unknown',
        `the database is at ${newest}, this code ends at ${migrations.length}`,
      )
    }
    for (const migration of migrations) {
      const checksum = applied.get(migration.version)
      if (checksum === migration.checksum) continue
      if (checksum !== undefined) {
        throw new EbbError(
          'migration_changed',
          `${migration.name} was applied with another text: add a new file instead`,
        )
      }
      for (const [index, statement] of migration.statements.entries()) {
        await run(client, statement, `${migration.name}, statement ${index + 1}`)
      }
      await client.insert({
        table: `${parameters.database}.migrations`,
        values: [{ version: migration.version, name: migration.name, checksum: migration.checksum }],
        columns: ['version', 'name', 'checksum'],
        format: 'JSONEachRow',
        clickhouse_settings: { async_insert: 0 },
      })
    }
  } finally {
    await client.close()
  }
}

async function readVersion(client: ClickHouseClient): Promise<string> {
  try {
    const [row] = await askRows<{ version: string }>(client, 'SELECT version() AS version')
    return row?.version ?? ''
  } catch (error) {
    throw migrationFailed("the server's version", error)
  }
}

/** @param version as the server says it: `26.7.2.1`. @throws EbbError `clickhouse_too_old` */
export function refuseOldServer(version: string): void {
  const [year = 0, release = 0] = version.split('.').map(Number)
  if (year > OLDEST.year || (year === OLDEST.year && release >= OLDEST.release)) return
  throw new EbbError(
    'clickhouse_too_old',
    `ClickHouse ${version} cannot count repeated inserts once: Ebb needs ${OLDEST.year}.${OLDEST.release} or newer`,
  )
}

/** Makes the databases and the record of migrations; returns the checksum of each applied version. */
async function prepare(
  client: ClickHouseClient,
  parameters: MigrationParameters,
): Promise<Map<number, string>> {
  const { database, biDatabase, cluster } = parameters
  const onCluster = cluster === '' ? '' : `ON CLUSTER '${cluster}'`
  const engine = cluster === '' ? 'ReplacingMergeTree' : 'ReplicatedReplacingMergeTree'
  await run(client, `CREATE DATABASE IF NOT EXISTS ${database} ${onCluster}`, 'the database')
  await run(client, `CREATE DATABASE IF NOT EXISTS ${biDatabase} ${onCluster}`, 'the database of the views')
  await run(
    client,
    `CREATE TABLE IF NOT EXISTS ${database}.migrations ${onCluster}
     (version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3))
     ENGINE = ${engine} ORDER BY version`,
    'the record of migrations',
  )
  const result = await client.query({
    query: `SELECT version, any(checksum) AS checksum FROM ${database}.migrations GROUP BY version`,
    format: 'JSONEachRow',
  })
  const rows = await result.json<{ version: number; checksum: string }>()
  return new Map(rows.map((row) => [Number(row.version), row.checksum]))
}

async function run(client: ClickHouseClient, query: string, where: string): Promise<void> {
  try {
    await client.command({ query })
  } catch (error) {
    throw migrationFailed(where, error)
  }
}

function migrationFailed(where: string, cause: unknown): EbbError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new EbbError('migration_failed', `${where}: ${reason}`, { cause })
}
