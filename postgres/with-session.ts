import pg from 'pg'
import { EbbError } from '../runtime/errors.ts'

/**
 * Runs `work` on a connection of its own, for what belongs to a session or takes longer than a pool's statements may.
 * @throws EbbError `postgres_unavailable`, or what `work` throws, without the server's own message
 */
export async function withSession<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    application_name: 'ebb backup',
  })
  client.on('error', () => {})
  try {
    await client.connect()
    return await work(client)
  } catch (error) {
    throw describe(error)
  } finally {
    await client.end().catch(() => {})
  }
}

function describe(error: unknown): unknown {
  const code = (error as { code?: unknown }).code
  if (typeof code !== 'string' || error instanceof EbbError) {
    const broken = error instanceof Error && /^Connection terminated/.test(error.message)
    return broken ? new EbbError('postgres_unavailable', 'Postgres went away') : error
  }
  if (code.startsWith('ERR_')) return error
  // Only the SQLSTATE goes on: Postgres quotes values in its own messages.
  return /^[0-9A-Z]{5}$/.test(code) && !/^(08|53|57P)/.test(code)
    ? new EbbError('postgres_refused', `Postgres refused a statement (SQLSTATE ${code})`)
    : new EbbError('postgres_unavailable', `Postgres is away (${code})`)
}

/** Name of the database in a URL. */
export function databaseOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1))
}
