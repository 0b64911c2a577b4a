import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Statement } from './analyse-query.ts'
import type { Connection, Engine, Figures } from './engine.ts'
import { killMarked, markOf, rewriteKill } from './kill-query.ts'
import { ClickHouseError } from './map-error.ts'
import type { QueryRequest } from './parse-request.ts'
import { preamble } from './quote-sql.ts'
import { readStatement } from './read-statement.ts'
import { refuseForeign } from './refuse-foreign.ts'
import { restrictSettings } from './restrict-settings.ts'
import { isRestricted, type RestrictedUser, type RestrictedUsers } from './restricted-user.ts'
import { runInsert } from './run-insert.ts'
import { type ResultSink, runSelect } from './run-select.ts'
import type { SessionPool, SessionUse } from './session-pool.ts'
import type { Spool } from './spool-body.ts'
import type { PartSpreader } from './spread-parts.ts'
import { authenticate, type User } from './users.ts'

export interface ServerDeps {
  engine: Engine
  pool: SessionPool
  spool: Spool
  parts: PartSpreader
  users: User[]
  restricted: RestrictedUsers
  /** Beside loopback, the hosts of requests without a password; see refuse-foreign.ts. */
  allowedHosts: readonly string[]
}

/** Statements whose rows can be sent on while they come. */
const STREAMED = new Set(['SELECT', 'WITH', 'FROM'])

/** Statements that GET may carry: whoever follows a link must not change anything. */
const READING = new Set([...STREAMED, 'SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN', 'CHECK', 'USE', 'SET'])

const MAKING_TABLES = new Set(['CREATE', 'ATTACH', 'RESTORE'])

const CONTENT_TYPES = new Map([
  ['JSON', 'application/json; charset=UTF-8'],
  ['JSONCompact', 'application/json; charset=UTF-8'],
  ['JSONStrings', 'application/json; charset=UTF-8'],
  ['JSONEachRow', 'application/x-ndjson; charset=UTF-8'],
  ['CSV', 'text/csv; charset=UTF-8; header=absent'],
  ['CSVWithNames', 'text/csv; charset=UTF-8; header=present'],
  ['TabSeparated', 'text/tab-separated-values; charset=UTF-8'],
  ['TSV', 'text/tab-separated-values; charset=UTF-8'],
  ['TabSeparatedWithNames', 'text/tab-separated-values; charset=UTF-8'],
])

/** Query ids that run, by which a second one is refused as on a real server. */
const runningIds = new Set<string>()
let serial = 0

/** Serves one request: who, which statement, its data, its run. @throws ClickHouseError or the engine's error. */
export async function answerRequest(
  deps: ServerDeps,
  message: IncomingMessage,
  response: ServerResponse,
  request: QueryRequest,
): Promise<void> {
  const user = authenticate(deps.users, request.user, request.password)
  if (request.password === '') refuseForeign(message, deps.allowedHosts)
  const { statement, data } = await readStatement(deps, message, request)
  refuseFiles(statement)
  if (message.method !== 'POST' && !READING.has(statement.verb)) {
    throw new ClickHouseError(
      164,
      'READONLY',
      'Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries',
    )
  }
  const idKey = JSON.stringify([user.name, request.queryId])
  if (runningIds.has(idKey)) {
    throw new ClickHouseError(
      216,
      'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING',
      `Query with id = ${request.queryId} is already running.`,
    )
  }
  runningIds.add(idKey)
  serial += 1
  const own = serial
  const onClose = () => void killMarked(deps.engine, own)
  const mark = markOf(own, request.queryId)
  try {
    if (isRestricted(user)) {
      if (data !== undefined)
        throw new ClickHouseError(164, 'READONLY', `${user.name}: Cannot execute query in readonly mode`)
      response.once('close', onClose)
      await answerRestricted(deps, response, user, request, statement, mark)
    } else if (data !== undefined) {
      await answerInsert(deps, response, request, statement, data, mark)
    } else {
      // An INSERT … SELECT goes on when its client leaves; a reader's statement is of use to nobody then.
      if (READING.has(statement.verb)) response.once('close', onClose)
      await answerStatement(deps, response, request, statement, mark, message.method !== 'POST')
    }
    response.off('close', onClose)
    response.end()
  } finally {
    response.off('close', onClose)
    runningIds.delete(idKey)
  }
}

/** Both belong to command line clients: over HTTP they would touch the server's own files. */
function refuseFiles({ tokens }: Statement): void {
  const words = tokens.map((token) => (token.kind === 'word' ? token.text.toUpperCase() : ''))
  const at = words.findIndex(
    (word, i) =>
      (word === 'OUTFILE' && words[i - 1] === 'INTO') || (word === 'INFILE' && words[i - 1] === 'FROM'),
  )
  if (at >= 0)
    throw new ClickHouseError(48, 'NOT_IMPLEMENTED', `${words[at - 1]} ${words[at]} is not served over HTTP`)
}

async function answerRestricted(
  deps: ServerDeps,
  response: ServerResponse,
  user: RestrictedUser,
  request: QueryRequest,
  statement: Statement,
  mark: string,
): Promise<void> {
  if (request.sessionCheck)
    throw new ClickHouseError(372, 'SESSION_NOT_FOUND', `Session ${request.sessionId} not found`)
  // A session id is taken and left unused: no state of a restricted user outlives a statement.
  const settings = restrictSettings(request, user.restriction)
  // The view has its names resolved already; the database is what currentDatabase() says.
  const before = preamble({ database: request.database, settings, parameters: [] }, mark)
  await deps.restricted.inTurn(user, async () => {
    // Whoever left while waiting needs no answer.
    if (response.destroyed) return
    await deps.pool.use(undefined, (connection) =>
      deps.restricted.read(user, request, statement, (select) =>
        runSelect(deps.engine, connection, request, select, before, deps.spool, createSink(response)),
      ),
    )
  })
}

async function answerInsert(
  deps: ServerDeps,
  response: ServerResponse,
  request: QueryRequest,
  statement: Statement,
  data: AsyncIterable<Buffer>,
  mark: string,
): Promise<void> {
  const path = await deps.spool.write(data)
  try {
    const figures = await inSession(deps, request, (connection) =>
      runInsert(deps.engine, connection, request, statement, preamble(request, mark), path),
    )
    response.setHeader('x-clickhouse-summary', summary(figures))
    response.writeHead(200, { 'content-type': 'text/plain; charset=UTF-8' })
  } finally {
    deps.spool.remove(path)
  }
}

async function answerStatement(
  deps: ServerDeps,
  response: ServerResponse,
  request: QueryRequest,
  statement: Statement,
  mark: string,
  readonly: boolean,
): Promise<void> {
  const sink = createSink(response)
  const plain = async (connection: Connection, sql: string) => {
    const format = statement.format ?? request.defaultFormat
    const { bytes, figures } = await deps.engine.query(connection, sql, format)
    sink.begin(format, '', figures)
    if (bytes.length > 0) await sink.write(bytes)
  }
  if (statement.verb === 'KILL') {
    await deps.pool.useAtOnce((connection) =>
      plain(connection, preamble(request, mark) + rewriteKill(statement)),
    )
    return
  }
  // A session would stay readonly for good; there the verb alone is looked at.
  const settings: [string, string][] =
    readonly && request.sessionId === undefined ? [...request.settings, ['readonly', '2']] : request.settings
  const before = preamble({ ...request, settings }, mark)
  await inSession(deps, request, async (connection) => {
    if (STREAMED.has(statement.verb)) {
      await runSelect(deps.engine, connection, request, statement, before, deps.spool, sink)
    } else {
      await plain(connection, before + statement.sql)
    }
  })
  if (MAKING_TABLES.has(statement.verb)) deps.parts.spread()
}

/** Runs `work` in the request's session, if it names one; its settings last for the request only. */
function inSession<T>(
  deps: ServerDeps,
  request: QueryRequest,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const session: SessionUse | undefined =
    request.sessionId === undefined
      ? undefined
      : {
          id: request.sessionId,
          user: request.user,
          timeoutSeconds: request.sessionTimeoutSeconds,
          mustExist: request.sessionCheck,
        }
  return deps.pool.use(session, async (connection) => {
    try {
      return await work(connection)
    } finally {
      const names = request.settings.map(([name]) => `${name} = DEFAULT`).join(', ')
      if (session !== undefined && names !== '') {
        await deps.engine.query(connection, `SET ${names}`, 'Null').catch(() => {})
      }
    }
  })
}

function createSink(response: ServerResponse): ResultSink {
  return {
    gone: () => response.destroyed,
    begin(format, compression, figures) {
      if (figures !== undefined) response.setHeader('x-clickhouse-summary', summary(figures))
      response.setHeader('x-clickhouse-format', format)
      if (compression !== '') response.setHeader('content-encoding', compression)
      response.writeHead(200, { 'content-type': CONTENT_TYPES.get(format) ?? 'application/octet-stream' })
    },
    async write(chunk) {
      if (response.destroyed || response.write(chunk)) return
      await new Promise<void>((resolve) => {
        const go = () => {
          response.off('drain', go)
          response.off('close', go)
          resolve()
        }
        response.once('drain', go)
        response.once('close', go)
      })
    },
  }
}

function summary(figures: Figures): string {
  return JSON.stringify({
    read_rows: String(figures.readRows),
    read_bytes: String(figures.readBytes),
    written_rows: String(figures.writtenRows),
    written_bytes: String(figures.writtenBytes),
    total_rows_to_read: '0',
    result_rows: String(figures.writtenRows),
    result_bytes: String(figures.writtenBytes),
    elapsed_ns: String(Math.round(figures.elapsedSeconds * 1e9)),
  })
}
