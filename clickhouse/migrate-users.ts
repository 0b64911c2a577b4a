import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ClickHouseError } from '@clickhouse/client'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { PROJECT_ROOT } from '../runtime/project-root.ts'
import type { ClickHouseClient } from './client.ts'
import { fillPlaceholders, splitStatements } from './read-migrations.ts'
import { s3Collection } from './s3-collections.ts'
import { VERIFIER_USER, verifierPassword } from './verifier-user.ts'

/** Users that migrations make, and the file of each: the analysts' and the verifier's. */
export const USERS = { bi: 'bi.sql', [VERIFIER_USER]: 'verifier.sql' } as const
export type MadeUser = keyof typeof USERS

const FOLDER = pathToFileURL(join(PROJECT_ROOT, 'clickhouse/sql/users/'))

/**
 * ACCESS_DENIED, ACCESS_STORAGE_READONLY, ACCESS_STORAGE_FOR_INSERTION_NOT_FOUND, UNKNOWN_USER: users are kept in files, or are not
 * ours to make.
 */
const NOT_OURS = new Set(['497', '495', '514', '192'])

/**
 * Makes the analysts' user `bi` and the verifier's, with roles, limits and quotas, and sets their passwords. Nothing is done for
 * one without a password, or where the server keeps it in its own files (the development server), or where we may not manage users.
 * @returns those that were made. @throws EbbError `migration_failed`
 */
export async function migrateUsers(client: ClickHouseClient, config: Config): Promise<MadeUser[]> {
  const passwords = {
    bi: config.clickhouse.biPassword,
    [VERIFIER_USER]: verifierPassword(config.verifier.clickhouseUrl),
  }
  const made: MadeUser[] = []
  for (const user of Object.keys(USERS) as MadeUser[]) {
    if (passwords[user] !== '' && (await makeUser(client, config, user, passwords[user]))) made.push(user)
  }
  return made
}

async function makeUser(
  client: ClickHouseClient,
  config: Config,
  user: MadeUser,
  password: string,
): Promise<boolean> {
  if (await keptInFiles(client, user)) return false
  for (const statement of await readUserStatements(config, user, password)) {
    try {
      await client.command({ query: statement })
    } catch (error) {
      if (error instanceof ClickHouseError && NOT_OURS.has(error.code)) return false
      // The message may quote the statement, and with it the hash of the password.
      const code = error instanceof ClickHouseError ? `code ${error.code}` : 'no answer'
      throw new EbbError('migration_failed', `users/${USERS[user]}: ${code}`)
    }
  }
  return true
}

/** The statements with the password's hash in place of the password. */
export async function readUserStatements(
  config: Pick<Config, 'clickhouse' | 's3'>,
  user: MadeUser,
  password: string,
): Promise<string[]> {
  const hash = createHash('sha256').update(password).digest('hex')
  const text = (await readFile(new URL(USERS[user], FOLDER), 'utf8'))
    .replaceAll('{password_sha256}', hash)
    .replaceAll('{archive}', s3Collection(config, 'archive'))
  return splitStatements(text).map((statement) => fillPlaceholders(statement, config.clickhouse))
}

async function keptInFiles(client: ClickHouseClient, user: MadeUser): Promise<boolean> {
  const result = await client.query({
    query: 'SELECT storage FROM system.users WHERE name = {user:String}',
    query_params: { user },
    format: 'JSONEachRow',
  })
  const [found] = await result.json<{ storage: string }>()
  return found !== undefined && !/^(local_directory|replicated)/i.test(found.storage.replaceAll(' ', '_'))
}
