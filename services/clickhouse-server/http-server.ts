import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { answerRequest, type ServerDeps } from './answer-request.ts'
import { codeOf, statusOf } from './map-error.ts'
import { parseRequest } from './parse-request.ts'

/** The HTTP interface of ClickHouse: `/`, `/ping`, `/replicas_status`. */
export function createHttpServer(deps: ServerDeps): Server {
  // Long statements come in the URL: Node's own bound for all headers is 16 KB.
  const server = createServer({ maxHeaderSize: 1 << 20, requestTimeout: 0, keepAliveTimeout: 30_000 })
  server.on('request', (message: IncomingMessage, response: ServerResponse) => {
    const url = message.url ?? '/'
    const path = url.split('?', 1)[0]
    const hasQuery = message.method === 'POST' || url.includes('query=')
    if (path === '/ping' || path === '/replicas_status' || (path === '/' && !hasQuery)) {
      response.writeHead(200, { 'content-type': 'text/html; charset=UTF-8' }).end('Ok.\n')
    } else if (path === '/') {
      void serve(deps, message, response)
    } else {
      const hint = 'There is no such path. Use / or /ping for health checks. Or /?query= for queries.\n'
      response.writeHead(404, { 'content-type': 'text/plain; charset=UTF-8' }).end(hint)
    }
  })
  return server
}

async function serve(deps: ServerDeps, message: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const request = parseRequest(message)
    response.setHeader('x-clickhouse-query-id', encodeHeader(request.queryId))
    response.setHeader('x-clickhouse-timezone', 'UTC')
    response.setHeader('x-clickhouse-server-display-name', 'ebb-development')
    await answerRequest(deps, message, response, request)
  } catch (error) {
    fail(message, response, error)
  }
}

/** A header takes printable characters only; an id comes from the client. */
const encodeHeader = (text: string) => text.replace(/[^\x20-\x7e]/g, '?')

function fail(message: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    // Part of the rows is out: only a broken connection tells the client that they are not all.
    response.destroy()
    return
  }
  const code = codeOf(error)
  const said = error instanceof Error ? error.message : String(error)
  const text = said.startsWith('Code:') ? said : `Code: ${code}. DB::Exception: ${said}. (STD_EXCEPTION)`
  const version = text.includes('(version ') ? '' : ' (version 26.7.2.1 (official build))'
  response.setHeader('x-clickhouse-exception-code', String(code))
  response.removeHeader('content-encoding')
  response.writeHead(statusOf(code), { 'content-type': 'text/plain; charset=UTF-8' })
  response.end(`${text}${version}\n`)
  // The rest of the body is read and dropped, so that the client gets to read the answer.
  message.resume()
}
