import knex, { type Knex } from 'knex'
import pg from 'pg'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { GRANT_VERIFIER } from './grant-verifier.ts'
import { ebbSubjects } from './migrations/ebb-0001-subjects.ts'
import { ebbPrivacy } from './migrations/ebb-0002-privacy.ts'
import { ebbLateLinks } from './migrations/ebb-0003-late-links.ts'
import { ebbNoSamples } from './migrations/ebb-0004-no-samples.ts'
import { ebbContacts } from './migrations/ebb-0005-contacts.ts'
import { keyringSecrets } from './migrations/keyring-0001-secrets.ts'
import { keyringProviderKeys } from './migrations/keyring-0002-provider-keys.ts'
import { keyringNoStatistics } from './migrations/keyring-0003-no-statistics.ts'
import type { NamedMigration } from './migrations/named-migration.ts'

/** In order; a released one is never edited, a change is a new one. */
const EBB: NamedMigration[] = [ebbSubjects, ebbPrivacy, ebbLateLinks, ebbNoSamples, ebbContacts]
const KEYRING: NamedMigration[] = [keyringSecrets, keyringProviderKeys, keyringNoStatistics]

/** Any number that no one else takes as an advisory lock on our databases. */
const MIGRATION_LOCK = 0x0e_bb_0001

/**
 * Brings both databases to the newest schema, creating them where they are missing. Safe to run from several processes
 * at once: they queue on an advisory lock. @throws EbbError `migration_failed`
 */
export async function migratePostgres(config: Config): Promise<void> {
  await migrateDatabase(config.postgres.url, EBB, GRANT_VERIFIER.ebb)
  await migrateDatabase(config.postgres.keyringUrl, KEYRING, GRANT_VERIFIER.keyring)
}

async function migrateDatabase(url: string, migrations: NamedMigration[], grants: string): Promise<void> {
  const lock = await connect(url)
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK])
    const database = knex({ client: 'pg', connection: url, pool: { min: 0, max: 2 } })
    try {
      const migrator = { migrationSource: listSource(migrations) }
      // Only a process that died in the middle can have left knex's own lock: the living queue on ours.
      await database.migrate.forceFreeMigrationsLock(migrator)
      await database.migrate.latest(migrator)
      await setGrants(lock, grants)
    } finally {
      await database.destroy()
    }
  } catch (cause) {
    throw new EbbError('migration_failed', `database ${databaseName(url)}: migration failed`, { cause })
  } finally {
    await lock.end()
  }
}

const GRANT_TRIES = 5

/** A rewrite of a table at the same moment changes the row of the catalogue that holds its grants: `tuple concurrently updated`. */
async function setGrants(client: pg.Client, grants: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await client.query(grants)
      return
    } catch (error) {
      if ((error as { code?: string }).code !== 'XX000' || tries === GRANT_TRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, 100 * tries))
    }
  }
}

/** Migrations are a list in code, not a folder that is scanned: the same from sources and from a bundle. */
function listSource(migrations: NamedMigration[]): Knex.MigrationSource<NamedMigration> {
  return {
    getMigrations: async () => migrations,
    getMigrationName: (migration) => migration.name,
    getMigration: async (migration) => migration,
  }
}

async function connect(url: string): Promise<pg.Client> {
  try {
    return await open(url)
  } catch (error) {
    if ((error as { code?: string }).code !== '3D000') throw unavailable(url, error)
  }
  await createDatabase(url)
  return await open(url)
}

/** Postgres has no CREATE DATABASE IF NOT EXISTS, so a race with another process shows as one of two codes. */
async function createDatabase(url: string): Promise<void> {
  const maintenance = new URL(url)
  maintenance.pathname = '/postgres'
  const client = await open(maintenance.href)
  try {
    await client.query(`CREATE DATABASE ${pg.escapeIdentifier(databaseName(url))}`)
  } catch (error) {
    const code = (error as { code?: string }).code
    if (code !== '42P04' && code !== '23505') throw unavailable(url, error)
  } finally {
    await client.end()
  }
}

async function open(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on('error', () => {})
  await client.connect()
  return client
}

function databaseName(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1))
}

function unavailable(url: string, cause: unknown): EbbError {
  return new EbbError('migration_failed', `database ${databaseName(url)} cannot be reached or created`, {
    cause,
  })
}
