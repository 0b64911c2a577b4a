import { analyseQuery, type Statement } from './analyse-query.ts'
import { checkAst, parseAst } from './check-ast.ts'
import { countQueries } from './count-queries.ts'
import type { Connection, Engine } from './engine.ts'
import { inlineParameters } from './inline-parameters.ts'
import { limitConcurrency } from './limit-concurrency.ts'
import { ClickHouseError } from './map-error.ts'
import type { QueryRequest } from './parse-request.ts'
import { quoteName, quoteString } from './quote-sql.ts'
import { rewriteShow } from './rewrite-show.ts'
import type { Restriction, User } from './users.ts'

/** Holds the definer views of running statements, in memory. */
const VIEWS = 'ebb_restricted'
/** Statements of one user that wait for their turn. */
const MAX_WAITING = 200

export interface RestrictedUsers {
  /**
   * Runs a whole request of a restricted user when its turn comes. To be taken before a place of the pool: whoever waits
   * here must hold nothing that others need. @throws ClickHouseError 201 and 202 when there are too many.
   */
  inTurn<T>(user: RestrictedUser, work: () => Promise<T>): Promise<T>
  /**
   * Hands `read` a statement that reads, with the user's own grants, what the user's statement asks for.
   * The engine runs everything as `default`; only a definer view is checked against another user's grants.
   * @throws ClickHouseError 497, 164, 62, or the engine's own.
   */
  read<T>(
    user: RestrictedUser,
    request: QueryRequest,
    statement: Statement,
    read: (statement: Statement) => Promise<T>,
  ): Promise<T>
}

export type RestrictedUser = User & { restriction: Restriction }
export const isRestricted = (user: User): user is RestrictedUser => user.restriction !== undefined

export async function createRestrictedUsers(
  engine: Engine,
  users: readonly User[],
): Promise<RestrictedUsers> {
  const lanes = new Map(
    users.filter(isRestricted).map(({ name, restriction }) => {
      const limit = limitConcurrency(restriction.atOnce, MAX_WAITING)
      return [name, { limit, counted: countQueries(restriction.queriesPerMinute) }]
    }),
  )
  const [names] = await withConnection(engine, async (connection) => {
    await engine.query(connection, `CREATE DATABASE IF NOT EXISTS ${VIEWS} ENGINE = Memory`, 'Null')
    return [await rows(engine, connection, 'SELECT lower(name) FROM system.table_functions')]
  })
  const tableFunctions = new Set(names)
  let serial = 0

  async function prepare(
    { name, restriction }: RestrictedUser,
    request: QueryRequest,
    statement: Statement,
    view: string,
    connection: Connection,
  ) {
    const database = databaseOf(request, restriction)
    const shown = rewriteShow(statement, request.database)
    if (shown === undefined && !['SELECT', 'WITH', 'FROM'].includes(statement.verb)) {
      throw new ClickHouseError(164, 'READONLY', `${request.user}: Cannot execute query in readonly mode`)
    }
    const body = shown ?? inlineParameters(withoutFormat(statement), request.parameters)
    // The engine's own parser proves that this is one statement; what it prints is what is checked and run.
    const [text = ''] = await rows(engine, connection, `SELECT formatQuerySingleLine(${quoteString(body)})`)
    const ast = await rows(engine, connection, `EXPLAIN AST ${text}`)
    checkAst(parseAst(ast), tableFunctions, restriction)
    const definer = `DEFINER = ${quoteName(name)} SQL SECURITY DEFINER`
    // Making the view analyses the statement, which folds constants: that is bounded too.
    const limits = Object.entries(restriction.limits).map(([limit, value]) => `${limit} = ${value}`)
    await engine.query(connection, `SET ${limits.join(', ')}`, 'Null')
    await engine.query(
      connection,
      `USE ${quoteName(database)}; CREATE VIEW ${view} ${definer} AS ${text}`,
      'Null',
    )
  }

  return {
    async inTurn(user, work) {
      const lane = lanes.get(user.name)!
      lane.counted(user.name)
      return lane.limit.run(work)
    },
    async read(user, request, statement, read) {
      serial += 1
      const view = `${VIEWS}.q_${serial}`
      try {
        return await withConnection(engine, async (connection) => {
          await prepare(user, request, statement, view, connection)
          try {
            const select = analyseQuery(`SELECT * FROM ${view}`)
            return await read({ ...select, format: statement.format })
          } finally {
            await engine.query(connection, `DROP VIEW IF EXISTS ${view}`, 'Null')
          }
        })
      } catch (error) {
        throw withoutInternals(error, view)
      }
    },
  }
}

async function withConnection<T>(engine: Engine, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = engine.connect()
  try {
    return await work(connection)
  } finally {
    engine.close(connection)
  }
}

async function rows(engine: Engine, connection: Connection, sql: string): Promise<string[]> {
  const { bytes } = await engine.query(connection, sql, 'JSONCompactEachRow')
  const lines = bytes.toString('utf8').split('\n').filter(Boolean)
  return lines.map((line) => String((JSON.parse(line) as unknown[])[0]))
}

/** Where unqualified names are looked up. The views' own database stands for all that the user must not enter. */
function databaseOf(request: QueryRequest, { opens }: Restriction): string {
  const { database } = request
  if (database === 'default') return VIEWS
  if (opens(database) || database === 'system' || database === 'information_schema') return database
  throw new ClickHouseError(
    497,
    'ACCESS_DENIED',
    `${request.user}: Not enough privileges. To execute this query, it's necessary to have the grant SHOW DATABASES ON ${database}.*`,
  )
}

function withoutFormat({ sql, formatAt }: Statement): string {
  if (formatAt === undefined) return sql
  if (sql.slice(formatAt.end).trim() !== '') {
    throw new ClickHouseError(
      164,
      'READONLY',
      'Cannot modify settings in the text of a query in readonly mode',
    )
  }
  return sql.slice(0, formatAt.start)
}

/** The engine's hints name tables that the reader may not know, and its scope names the view of ours. */
function withoutInternals(error: unknown, view: string): unknown {
  if (!(error instanceof Error) || error instanceof ClickHouseError) return error
  const text = error.message
    .replace(/\.? ?Maybe you meant:? [^.]*?(\?\.?|\])(?= |$)/g, '')
    .replaceAll(view, 'query')
    .replaceAll(`${VIEWS}.`, '')
  return new Error(text)
}
