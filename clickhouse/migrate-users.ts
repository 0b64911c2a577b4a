import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ClickHouseError } from '@clickhouse/client'
import { EbbError } from '../runtime/errors.ts'
import type { ClickHouseClient } from './client.ts'
import { fillPlaceholders, type MigrationParameters, splitStatements } from './read-migrations.ts'

const USERS = new URL('./sql/users/bi.sql', import.meta.url)

/** ACCESS_DENIED, ACCESS_STORAGE_READONLY, ACCESS_ENTITY_NOT_FOUND: users are kept in files, or are not ours to make. */
const NOT_OURS = new Set(['497', '495', '192'])

/**
 * Makes the analysts' user `bi` with its role, limits and quota, and sets its password. Nothing is done without a password, or
 * where the server keeps `bi` in its own files (the development server), or where we may not manage users.
 * @returns false when nothing was done. @throws EbbError `migration_failed`
 */
export async function migrateUsers(
  client: ClickHouseClient,
  parameters: MigrationParameters,
  password: string,
): Promise<boolean> {
  if (password === '' || (await keptInFiles(client))) return false
  for (const statement of await readUserStatements(parameters, password)) {
    try {
      await client.command({ query: statement })
    } catch (error) {
      if (error instanceof ClickHouseError && NOT_OURS.has(error.code)) return false
      // The message may quote the statement, and with it the hash of the password.
      const code = error instanceof ClickHouseError ? `code ${error.code}` : 'no answer'
      throw new EbbError('migration_failed', `users/bi.sql: ${code}`)
    }
  }
  return true
}

/** The statements with the password's hash in place of the password. */
export async function readUserStatements(
  parameters: MigrationParameters,
  password: string,
): Promise<string[]> {
  const hash = createHash('sha256').update(password).digest('hex')
  const text = (await readFile(USERS, 'utf8')).replaceAll('{bi_password_sha256}', hash)
  return splitStatements(text).map((statement) => fillPlaceholders(statement, parameters))
}

async function keptInFiles(client: ClickHouseClient): Promise<boolean> {
  const result = await client.query({
    query: `SELECT storage FROM system.users WHERE name = 'bi'`,
    format: 'JSONEachRow',
  })
  const [user] = await result.json<{ storage: string }>()
  return user !== undefined && !/^(local_directory|replicated)/i.test(user.storage.replaceAll(' ', '_'))
}
