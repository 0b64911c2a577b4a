import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from '../runtime/logger.ts'
import { type AcceptDeps, acceptEvents } from './accept-events.ts'
import { answerError, answerJson } from './answer.ts'
import type { ByteBudget } from './byte-budget.ts'
import { answerFor, type CollectorErrorCode, collectorError, describeSafely } from './error.ts'
import { basicWriteKey } from './find-app.ts'
import { readBody } from './read-body.ts'
import { findRoute } from './routes.ts'

export interface ServerDeps extends AcceptDeps {
  budget: ByteBudget
  logger: Logger
  /** Is the process up and not stopping? */
  healthy(): boolean
  /** A slow client gets this long for its headers, and for all of its request: half-open ones do not pile up. */
  headersTimeoutMs: number
  requestTimeoutMs: number
}

/** Longer than the idle time of common load balancers (60 s), which else would meet a closed connection. */
const KEEP_ALIVE_MS = 65_000
const MAX_CONNECTIONS = 10_000

/** The collector's HTTP side: bounds, routes, and one place where an error becomes an answer. */
export function createCollectorServer(deps: ServerDeps): Server {
  const server = createServer(
    {
      headersTimeout: deps.headersTimeoutMs,
      requestTimeout: deps.requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: Math.min(2_000, deps.headersTimeoutMs / 4),
      maxHeaderSize: 16 * 1024,
      // Small clients leave Host out; it says nothing to us, and Node's own refusal carries no code.
      requireHostHeader: false,
    },
    (request, response) => {
      const startedAt = performance.now()
      // A stopping server answers what has come and lets the connection go, or a busy client would hold it open.
      if (!deps.healthy()) response.shouldKeepAlive = false
      handle(deps, request, response).then(
        (status) => deps.metrics.answered(status, (performance.now() - startedAt) / 1_000),
        (error) => {
          deps.logger.error({ err: describeSafely(error) }, 'answer failed')
          request.socket.destroy()
        },
      )
    },
  )
  server.maxConnections = MAX_CONNECTIONS
  server.on('clientError', refuseBrokenHttp)
  server.on('connect', (_request, socket) => writeRaw(socket as Socket, 'method_not_allowed'))
  return server
}

async function handle(deps: ServerDeps, request: IncomingMessage, response: ServerResponse): Promise<number> {
  const route = findRoute(request.url ?? '')
  if (!route) return answerError(response, collectorError('not_found'))
  if (route.kind === 'health') {
    const up = deps.healthy()
    answerJson(response, up ? 200 : 503, up ? '{"status":"ok"}' : '{"status":"stopping"}')
    return up ? 200 : 503
  }
  if (request.method === 'OPTIONS') return answerPreflight(response)
  if (request.method !== 'POST') return answerError(response, collectorError('method_not_allowed'))

  let taken = 0
  const onTaken = (bytes: number) => {
    taken += bytes
  }
  try {
    const body = await readBody(request, deps.budget, onTaken)
    const text = await acceptEvents(deps, {
      call: route.call,
      body,
      encoding: request.headers['content-encoding'],
      writeKey: basicWriteKey(request.headers.authorization),
      clientIp: request.socket.remoteAddress,
      onInflated(bytes) {
        taken += bytes
        if (!deps.budget.take(bytes)) throw collectorError('overloaded')
      },
    })
    answerJson(response, 200, text)
    return 200
  } catch (error) {
    const status = answerError(response, error)
    if (status === 500) deps.logger.error({ err: describeSafely(error) }, 'request failed')
    return status
  } finally {
    deps.budget.give(taken)
  }
}

function answerPreflight(response: ServerResponse): number {
  response
    .writeHead(204, {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'authorization, content-type, content-encoding',
      'access-control-max-age': '86400',
    })
    .end()
  return 204
}

/** What Node's parser gives up on never becomes a request; it is answered on the bare socket and cut off. */
function refuseBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'HPE_HEADER_OVERFLOW') writeRaw(socket, 'headers_too_large')
  else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') writeRaw(socket, 'request_timeout')
  else writeRaw(socket, 'invalid_http')
}

function writeRaw(socket: Socket, code: CollectorErrorCode): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const { status, body } = answerFor(collectorError(code))
  const reason =
    { 400: 'Bad Request', 405: 'Method Not Allowed', 408: 'Request Timeout' }[status] ?? 'Refused'
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
