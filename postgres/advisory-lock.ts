import pg from 'pg'
import { EbbError } from '../runtime/errors.ts'

export type AdvisoryLockErrorCode = 'lock_lost' | 'postgres_unavailable'

/**
 * Runs `work` while this process alone, of all that use the database, holds the lock of that name; others wait. The lock
 * ends with its connection, so that one who died holds nothing: `requireHeld` says, at the end of a step, that it was ours
 * all the while. @throws EbbError `lock_lost` from `requireHeld`, `postgres_unavailable`
 */
export async function withAdvisoryLock<T>(
  url: string,
  name: string,
  work: (requireHeld: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, keepAlive: true })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [name])
  } catch {
    await client.end().catch(() => {})
    throw new EbbError('postgres_unavailable', `the lock ${name} cannot be had`)
  }
  try {
    return await work(async () => {
      await client.query('SELECT 1').catch(() => {
        throw new EbbError('lock_lost', `the lock ${name} was lost on the way`)
      })
    })
  } finally {
    await client.end().catch(() => {})
  }
}
