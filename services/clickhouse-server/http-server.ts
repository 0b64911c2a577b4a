import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Engine, Figures } from './engine.ts'
import { ClickHouseError, codeOf, statusOf } from './map-error.ts'
import { parseRequest, type QueryRequest } from './parse-request.ts'
import { markOf, preamble, quoteString } from './quote-sql.ts'
import { readStatement } from './read-statement.ts'
import { runInsert } from './run-insert.ts'
import { type ResultSink, runSelect } from './run-select.ts'
import type { SessionPool } from './session-pool.ts'
import type { Spool } from './spool-body.ts'

export interface ServerDeps {
  engine: Engine
  pool: SessionPool
  spool: Spool
}

/** Statements whose rows can be sent on while they come. */
const STREAMED = new Set(['SELECT', 'WITH', 'FROM'])

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

/** The HTTP interface of ClickHouse: `/`, `/ping`, `/replicas_status`. */
export function createHttpServer(deps: ServerDeps): Server {
  const server = createServer((message, response) => {
    const path = (message.url ?? '/').split('?', 1)[0]
    const hasQuery = message.method === 'POST' || (message.url ?? '').includes('query=')
    if (path === '/ping' || path === '/replicas_status' || (path === '/' && !hasQuery)) {
      response.writeHead(200, { 'content-type': 'text/html; charset=UTF-8' }).end('Ok.\n')
      return
    }
    if (path !== '/') {
      const hint = 'There is no such path. Use / or /ping for health checks. Or /?query= for queries.\n'
      response.writeHead(404, { 'content-type': 'text/plain; charset=UTF-8' }).end(hint)
      return
    }
    void serve(deps, message, response)
  })
  server.requestTimeout = 0
  server.keepAliveTimeout = 30_000
  return server
}

async function serve(deps: ServerDeps, message: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const request = parseRequest(message)
    response.setHeader('x-clickhouse-query-id', request.queryId)
    response.setHeader('x-clickhouse-timezone', 'UTC')
    response.setHeader('x-clickhouse-server-display-name', 'ebb-development')
    await answer(deps, message, response, request)
  } catch (error) {
    fail(message, response, error)
  }
}

async function answer(
  deps: ServerDeps,
  message: IncomingMessage,
  response: ServerResponse,
  request: QueryRequest,
): Promise<void> {
  const { statement, data } = await readStatement(message, request)
  const session =
    request.sessionId === undefined
      ? undefined
      : {
          id: request.sessionId,
          user: request.user,
          timeoutSeconds: request.sessionTimeoutSeconds,
          mustExist: request.sessionCheck,
        }
  if (data !== undefined) {
    const path = await deps.spool.write(data)
    try {
      const figures = await deps.pool.use(session, (connection) =>
        runInsert(deps.engine, connection, request, statement, path),
      )
      response.setHeader('x-clickhouse-summary', summary(figures))
      response.writeHead(200, { 'content-type': 'text/plain; charset=UTF-8' }).end()
    } finally {
      deps.spool.remove(path)
    }
    return
  }
  await deps.pool.use(session, async (connection) => {
    const extra: [string, string][] = message.method === 'GET' ? [['readonly', '2']] : []
    const before = preamble(request, extra)
    let done = false
    const onClose = () => {
      if (!done) void kill(deps, request.queryId)
    }
    response.once('close', onClose)
    try {
      const sink = createSink(response)
      if (STREAMED.has(statement.verb)) {
        await runSelect(deps.engine, connection, request, statement, before, deps.spool, sink)
      } else {
        const format = statement.format ?? request.defaultFormat
        const { bytes, figures } = await deps.engine.query(connection, before + statement.sql, format)
        sink.begin(format, '', figures)
        if (bytes.length > 0) await sink.write(bytes)
      }
    } finally {
      done = true
      response.off('close', onClose)
    }
    response.end()
  })
}

/** Stops the statement of a client that went away; SYNC would hang the engine's only killer. */
async function kill(deps: ServerDeps, queryId: string): Promise<void> {
  const connection = deps.engine.connect()
  try {
    const where = `endsWith(Settings['log_comment'], ${quoteString(markOf(queryId))})`
    await deps.engine.query(connection, `KILL QUERY WHERE ${where} ASYNC`, 'Null')
  } catch {
    // It has ended by itself.
  } finally {
    deps.engine.close(connection)
  }
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

function fail(message: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    // Part of the rows is out: only a broken connection tells the client that they are not all.
    response.destroy()
    return
  }
  const code = codeOf(error)
  const text = error instanceof Error ? error.message : String(error)
  const version = text.includes('(version ') ? '' : ' (version 26.7.2.1 (official build))'
  response.setHeader('x-clickhouse-exception-code', String(code))
  if (code === 516 || code === 194)
    response.setHeader('www-authenticate', 'Basic realm="ClickHouse server HTTP API"')
  response.writeHead(error instanceof ClickHouseError || code !== 1001 ? statusOf(code) : 500, {
    'content-type': 'text/plain; charset=UTF-8',
  })
  response.end(`${text}${version}\n`)
  // The rest of the body is read and dropped, so that the client gets to read the answer.
  message.resume()
}
