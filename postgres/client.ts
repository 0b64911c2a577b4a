import pg from 'pg'
import { EbbError } from '../runtime/errors.ts'

export type PostgresErrorCode = 'postgres_unavailable' | 'postgres_not_durable' | 'postgres_refused'

/** What the statements of this folder need of a database: one round trip, autocommitted. */
export interface Postgres {
  /**
   * @throws EbbError `postgres_unavailable` when no answer came (a retry may help), `postgres_refused` when the server
   * said no. Only the SQLSTATE goes into the message: Postgres quotes row values in its own.
   */
  query<Row extends pg.QueryResultRow>(name: string, text: string, values: unknown[]): Promise<Row[]>
  close(): Promise<void>
}

/** A pool whose statements can also be run together. */
export interface TransactingPostgres extends Postgres {
  /**
   * Runs `work` between BEGIN and COMMIT on one connection; what it throws rolls back and is thrown on.
   * Locks are held until then, so `work` waits for nothing but its own statements.
   * @throws EbbError as `query`
   */
  transaction<T>(work: (within: Pick<Postgres, 'query'>) => Promise<T>): Promise<T>
}

export interface PostgresOptions {
  /** Connections at most. */
  connections?: number
  /** A statement without an answer after this long fails, so that a stopped server cannot hold requests for ever. */
  timeoutMs?: number
}

/** SQLSTATE classes that say "the server is away or ending", as against "your statement is wrong". */
const AWAY = /^(08|53|57P)/

/** The server said no. */
export class PostgresRefusal extends EbbError {
  readonly sqlState: string
  constructor(sqlState: string) {
    super('postgres_refused', `Postgres refused a statement (SQLSTATE ${sqlState})`)
    this.sqlState = sqlState
  }
}

function describe(error: unknown): EbbError {
  const state = (error as { code?: unknown }).code
  const sqlState = typeof state === 'string' && /^[0-9A-Z]{5}$/.test(state) ? state : undefined
  if (sqlState && !AWAY.test(sqlState)) {
    return new PostgresRefusal(sqlState)
  }
  return new EbbError(
    'postgres_unavailable',
    `Postgres is away (${sqlState ?? String(state ?? 'no answer')})`,
  )
}

/** A pool on one database. It connects when first used, and again by itself after the server was away. */
export function createPostgres(url: string, options: PostgresOptions = {}): TransactingPostgres {
  const timeoutMs = options.timeoutMs ?? 3_000
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connections ?? 4,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    keepAlive: true,
    idleTimeoutMillis: 30_000,
    application_name: 'ebb',
  })
  // An idle connection that breaks is reported here, and unheard it would end the process; the next query connects anew.
  pool.on('error', () => {})
  return {
    query: (name, text, values) => run(pool, name, text, values),
    async transaction(work) {
      const connection = await pool.connect().catch((error) => {
        throw describe(error)
      })
      let broken = true
      try {
        await run(connection, 'begin', 'BEGIN', [])
        const result = await work({ query: (name, text, values) => run(connection, name, text, values) })
        await run(connection, 'commit', 'COMMIT', [])
        broken = false
        return result
      } catch (error) {
        broken = await run(connection, 'rollback', 'ROLLBACK', []).then(
          () => false,
          () => true,
        )
        throw error
      } finally {
        // A connection of which nobody knows whether it is still in a transaction goes to nobody else.
        connection.release(broken)
      }
    },
    close: () => pool.end(),
  }
}

/** One statement on a pool or a connection. @throws EbbError as `Postgres.query` */
export async function run<Row extends pg.QueryResultRow>(
  on: pg.Pool | pg.ClientBase,
  name: string,
  text: string,
  values: unknown[],
): Promise<Row[]> {
  try {
    return (await on.query<Row>({ name, text, values })).rows
  } catch (error) {
    throw describe(error)
  }
}

/**
 * Refuses a server that acknowledges a commit before it is on disk: a subject's secret must outlive a crash that
 * follows the first acknowledged event.
 * @throws EbbError `postgres_not_durable`
 */
export async function requireDurableCommits(postgres: Postgres): Promise<void> {
  const rows = await postgres.query<{ fsync: string; commit: string }>(
    'durable_commits',
    `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit`,
    [],
  )
  if (rows[0]?.fsync !== 'on' || rows[0].commit === 'off') {
    throw new EbbError('postgres_not_durable', 'Postgres runs with fsync or synchronous_commit off')
  }
}
