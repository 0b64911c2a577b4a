import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { VERIFIER_ROLE } from '../postgres/grant-verifier.ts'
import { EbbError } from '../runtime/errors.ts'
import { type EngineContext, parseAddress, requireReachable, type StartedEngine } from './engine.ts'
import { choosePostgresPlace, type PostgresPlace } from './postgres-place.ts'
import { runCommand } from './run-command.ts'
import { superviseProcess } from './supervise-process.ts'
import { exists } from './tool-cache.ts'

const PREFERRED_PORT = 5432
const USER = 'ebb'
/** On this machine only, and no password: for development. Which role may do what is the databases' to say. */
const LOGINS = [USER, VERIFIER_ROLE].map((user) => `host all ${user} 127.0.0.1/32 trust\n`).join('')
const DATABASES = ['ebb', 'keyring']

/** Postgres for development: users `ebb` and `ebb_verifier` without a password, reachable on loopback only, data in `<home>/postgres`. */
export async function startPostgres(context: EngineContext): Promise<StartedEngine> {
  const given = context.environment.EBB_POSTGRES_URL
  if (given) {
    const { host, port } = parseAddress(given, PREFERRED_PORT)
    await requireReachable('EBB_POSTGRES_URL', host, port)
    const keyring = context.environment.EBB_KEYRING_URL || withDatabase(given, 'keyring')
    return { environment: { EBB_POSTGRES_URL: given, EBB_KEYRING_URL: keyring }, process: null }
  }
  const place = await choosePostgresPlace(context)
  const data = join(place.folder, 'data')
  await initialise(place, data, context)
  // At every start: a folder of before may not know a role that was added since.
  await writeFile(join(data, 'pg_hba.conf'), LOGINS)
  const port = await context.ports.take(PREFERRED_PORT)
  const child = await superviseProcess(context.home, {
    name: 'postgres',
    command: place.postgres,
    args: ['-D', data, '-h', '127.0.0.1', '-p', String(port), ...settings(SETTINGS)],
    environment: place.environment,
    cwd: place.folder,
    ...(place.user && { user: place.user }),
    isReady: () => createDatabases(port),
    report: context.report,
    // SIGINT is Postgres's fast shutdown: it does not wait for clients that stay connected.
    stopSignal: 'SIGINT',
    stopTimeoutMs: 10_000,
  })
  const url = (database: string, user = USER) => `postgres://${user}@127.0.0.1:${port}/${database}`
  const ofVerifier = (database: string) => url(database, VERIFIER_ROLE)
  return {
    environment: {
      EBB_POSTGRES_URL: url('ebb'),
      EBB_KEYRING_URL: url('keyring'),
      EBB_VERIFIER_POSTGRES_URL: ofVerifier('ebb'),
      EBB_VERIFIER_KEYRING_URL: ofVerifier('keyring'),
    },
    process: child,
  }
}

/**
 * What is deleted must leave the disk: a segment of the write-ahead log is removed, not renamed and written over some day,
 * and few are kept; statements and their parameters are in no log.
 */
const SETTINGS = {
  unix_socket_directories: '',
  wal_recycle: 'off',
  min_wal_size: '32MB',
  max_wal_size: '256MB',
  // What the backups' slot may keep while nobody copies it.
  max_slot_wal_keep_size: '4GB',
  log_statement: 'none',
  // An error's message may quote a value that did not fit.
  log_min_messages: 'fatal',
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_error_verbosity: 'terse',
}

function settings(values: Record<string, string>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** The same server and user, another database. */
export function withDatabase(url: string, database: string): string {
  const other = new URL(url)
  other.pathname = `/${database}`
  return other.href
}

async function initialise(place: PostgresPlace, data: string, context: EngineContext): Promise<void> {
  if (await exists(join(data, 'PG_VERSION'))) {
    const found = (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim()
    if (found === place.major) return
    throw new EbbError(
      'version_mismatch',
      `${data} was made by Postgres ${found}, and Postgres ${place.major} was found. Give the old one by PATH, or move the folder away.`,
    )
  }
  await runCommand(
    place.initdb,
    [
      ...['-D', data, '-U', USER, '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-instructions'],
      // The folder is new: nothing to lose until the first start has synced it.
      '--no-sync',
    ],
    {
      environment: place.environment,
      cwd: place.folder,
      task: 'creating the Postgres folder',
      report: context.report,
      ...(place.user && { user: place.user }),
    },
  )
}

async function createDatabases(port: number): Promise<boolean> {
  const client = new Client({ host: '127.0.0.1', port, user: USER, database: 'postgres' })
  try {
    await client.connect()
    const present = await client.query<{ datname: string }>('SELECT datname FROM pg_database')
    for (const name of DATABASES) {
      if (!present.rows.some((row) => row.datname === name)) await client.query(`CREATE DATABASE ${name}`)
    }
    return true
  } finally {
    await client.end().catch(() => undefined)
  }
}
