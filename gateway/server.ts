import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { describeSafely } from '../runtime/describe-safely.ts'
import { admitCall, readShapes } from './admit-call.ts'
import { decodeJson } from './decode-json.ts'
import { answerFor, gatewayError } from './error.ts'
import { createCallRecorder } from './record-call.ts'
import type { Caller, GatewayDeps, Route } from './route.ts'
import { ROUTES } from './routes.ts'

const MAX_BODY_BYTES = 16 * 1024
/** Longer than the idle time of common load balancers (60 s), which else would meet a closed connection. */
const KEEP_ALIVE_MS = 65_000
/** Probes of load balancers come every few seconds and say nothing: the only calls that leave no audit entry. */
const UNRECORDED = 'GET /health'

interface ServerDeps extends GatewayDeps {
  calls: ReturnType<typeof createCallRecorder>
}

/** What is known of a call so far; it ends in the audit log. */
interface Trace {
  startedAt: number
  actor: string
  /** Route, or its method where there is none. */
  action: string
  object: string
  /** Of an error, or `ok`. */
  code: string
  caller: Caller | undefined
}

/**
 * The gateway's HTTP side: bounds, tokens, shapes, and one place each where a call becomes an answer, an audit entry and
 * an error. Not listening yet.
 */
export function createGatewayServer(given: GatewayDeps, routes: readonly Route[] = ROUTES): FastifyInstance {
  const deps: ServerDeps = { ...given, calls: createCallRecorder(given.audit) }
  const traces = new WeakMap<FastifyRequest, Trace>()
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: 10_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { maxHeaderSize: 16 * 1024, headersTimeout: 10_000, connectionsCheckingInterval: 2_000 },
    exposeHeadRoutes: false,
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => refuseBrokenHttp(deps, error, socket),
    // A path that the router cannot read never comes to the hooks below.
    frameworkErrors: (error, request, reply) => {
      const answer = answerFor(error)
      const trace = newTrace(`${request.method} (no route)`)
      trace.code = answer.code
      void record(deps, trace, answer.status).then(async (recorded) => {
        await pace(deps, trace)
        send(reply, recorded ? error : gatewayError('audit_unavailable'))
      })
    },
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    /^application\/json\s*(;|$)/i,
    { parseAs: 'buffer' },
    async (_: unknown, body: Buffer) => decodeJson(body),
  )
  const byName = new Map(routes.map((route) => [route.name as string, route]))

  app.addHook('onRequest', async (request, reply) => {
    const { url } = request.routeOptions
    const name = `${request.method} ${url ?? '(no route)'}`
    const trace = newTrace(name)
    traces.set(request, trace)
    reply.headers(SAFE_HEADERS)
    trace.caller = await admitCall(deps, request, byName.get(name), (actor) => {
      trace.actor = actor
    })
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (encoding !== 'identity') throw gatewayError('unsupported_media_type')
  })

  app.addHook('onSend', async (request, reply, payload) => {
    const trace = traces.get(request)
    if (!trace || trace.action === UNRECORDED) return payload
    const recorded = await record(deps, trace, reply.statusCode)
    await pace(deps, trace)
    return recorded ? payload : prepare(reply, gatewayError('audit_unavailable'))
  })

  app.addHook('onResponse', async (request, reply) => {
    const trace = traces.get(request)
    if (!trace) return
    deps.metrics.answered(trace.action, reply.statusCode, (performance.now() - trace.startedAt) / 1_000)
  })

  app.setErrorHandler((error, request, reply) => {
    const answer = answerFor(error)
    const trace = traces.get(request)
    if (trace) trace.code = answer.code
    if (answer.status === 500) deps.logger.error({ err: describeSafely(error) }, 'call failed')
    return send(reply, error)
  })
  app.setNotFoundHandler((request) => {
    throw gatewayError(takesPath(routes, request.url) ? 'method_not_allowed' : 'not_found')
  })

  for (const route of routes) {
    const [method, url] = route.name.split(' ') as [string, string]
    app.route({
      method,
      url,
      handler: async (request, reply) => {
        const trace = traces.get(request)!
        const shapes = readShapes(route, request)
        const about = (id: string) => {
          trace.object = id
        }
        const result = await route.handle({ ...shapes, deps, caller: trace.caller!, about } as never)
        if (result.location) reply.header('location', result.location)
        const { body } = result
        const ready = typeof body === 'string' || Buffer.isBuffer(body)
        return reply
          .code(result.status)
          .type(result.type ?? 'application/json; charset=utf-8')
          .send(ready ? body : JSON.stringify(body))
      },
    })
  }
  return app
}

/** Answers are for the caller alone, and a page among them neither loads nor runs anything. */
const SAFE_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}

function newTrace(action: string): Trace {
  return {
    startedAt: performance.now(),
    actor: 'anonymous',
    action,
    object: '-',
    code: 'ok',
    caller: undefined,
  }
}

/** @returns whether the entry is on disk; without it the answer is withheld. */
async function record(deps: ServerDeps, trace: Trace, status: number): Promise<boolean> {
  const { actor, action, object, code } = trace
  return await deps.calls.record({ actor, action, object, outcome: `${status} ${code}` }).then(
    () => true,
    (error) => {
      deps.logger.error({ err: describeSafely(error) }, 'audit failed')
      return false
    },
  )
}

/** Waits for the next multiple of the pace since the call came: how long a look-up took does not show. */
async function pace({ paceMs }: GatewayDeps, { startedAt }: Trace): Promise<void> {
  if (paceMs <= 0) return
  const passed = performance.now() - startedAt
  await sleep(paceMs - (passed % paceMs))
}

function prepare(reply: FastifyReply, error: unknown): string {
  const { status, body, retryAfterS } = answerFor(error)
  reply.code(status).type('application/json; charset=utf-8').removeHeader('location')
  if (retryAfterS !== undefined) reply.header('retry-after', retryAfterS)
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="ebb"')
  return body
}

function send(reply: FastifyReply, error: unknown): FastifyReply {
  return reply.send(prepare(reply, error))
}

/** Is there a route of another method at this path? */
function takesPath(routes: readonly Route[], url: string): boolean {
  const path = url.split('?')[0]!
  return routes.some(({ name }) => {
    const template = name.split(' ')[1]!.replace(/[.]/g, '\\.').replace(/:\w+/g, '[^/]+').replace('*', '.*')
    return new RegExp(`^${template}$`).test(path)
  })
}

/** What Node's parser gives up on never becomes a request; it is answered on the bare socket, recorded and cut off. */
function refuseBrokenHttp(deps: ServerDeps, error: Error & { code?: string }, socket: Socket): void {
  const known = ['HPE_HEADER_OVERFLOW', 'ERR_HTTP_REQUEST_TIMEOUT'].includes(error.code ?? '')
  const { status, body, code } = answerFor(known ? error : gatewayError('invalid_http'))
  const trace = { ...newTrace('(no request)'), code }
  void record(deps, trace, status)
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const reason = { 400: 'Bad Request', 408: 'Request Timeout' }[status] ?? 'Request Header Fields Too Large'
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
