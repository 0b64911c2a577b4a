import pg from 'pg'
import { EbbError } from '../runtime/errors.ts'
import { type Postgres, run } from './client.ts'

export type KeyringSession = Pick<Postgres, 'query'>

/** Any number that no one else takes as the first half of an advisory lock on the keyring. */
const SHARD_LOCK = 0x0e_bb_02

/** A chunk takes tens of milliseconds; waiting for another's rotation of the same shard, or VACUUM FULL, up to minutes. */
const STATEMENT_LIMIT_MS = 10 * 60_000

/**
 * One connection of its own to the keyring while `work` runs. What holds a lock and what works under it share the
 * connection: who loses the lock cannot go on.
 * @throws EbbError `postgres_unavailable`, `postgres_refused`
 */
export async function withKeyringSession<T>(
  keyringUrl: string,
  work: (session: KeyringSession) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: keyringUrl,
    connectionTimeoutMillis: 10_000,
    query_timeout: STATEMENT_LIMIT_MS,
    keepAlive: true,
    application_name: 'ebb-keys',
  })
  client.on('error', () => {})
  await client.connect().catch(() => {
    throw new EbbError('postgres_unavailable', 'the keyring is away')
  })
  try {
    return await work({ query: (name, text, values) => run(client, name, text, values) })
  } finally {
    await client.end().catch(() => {})
  }
}

/** Waits until no one else, in any process, changes the shard; the lock goes with `unlockShard` or the connection. */
export async function lockShard(session: KeyringSession, shard: number): Promise<void> {
  await session.query('lock_shard', 'SELECT pg_advisory_lock($1::integer, $2::integer)', [SHARD_LOCK, shard])
}

export async function unlockShard(session: KeyringSession, shard: number): Promise<void> {
  await session.query('unlock_shard', 'SELECT pg_advisory_unlock($1::integer, $2::integer)', [
    SHARD_LOCK,
    shard,
  ])
}
