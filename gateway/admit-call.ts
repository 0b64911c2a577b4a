import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { actorOf, bearerSecret, isOver } from './authenticate.ts'
import { type GatewayErrorCode, gatewayError } from './error.ts'
import { type Access, mayCall, ROLES } from './roles.ts'
import type { Caller, GatewayDeps, Route } from './route.ts'

/** Of a call that needs no token. */
const NOBODY: Caller = { actor: 'anonymous', role: 'analyst', apps: [] }

/**
 * Who calls, and may they? Limits come first, so that guessing tokens is slow; nothing of the request but its route and
 * headers has been looked at.
 * @param onActor hears the holder of a token as soon as it is known, also of one that is refused.
 * @throws EbbError `rate_limited`, `token_missing`, `token_invalid`, `role_forbidden`, `tokens_unavailable`
 */
export async function admitCall(
  deps: GatewayDeps,
  request: FastifyRequest,
  route: Route | undefined,
  onActor: (actor: string) => void,
): Promise<Caller> {
  if (!deps.limits.address.take(request.ip)) throw gatewayError('rate_limited')
  const access: Access = route ? ROLES[route.name] : 'public'
  const secret = bearerSecret(request.headers.authorization)
  if (access === 'public') return NOBODY
  if (secret === '') throw gatewayError('token_missing')
  const token = await deps.tokens.find(secret)
  if (!token) throw gatewayError('token_invalid')
  onActor(actorOf(token))
  if (isOver(token, deps.now())) throw gatewayError('token_invalid')
  if (!deps.limits.token.take(token.tokenId)) throw gatewayError('rate_limited')
  if (!mayCall(route!.name, token.role)) throw gatewayError('role_forbidden')
  return { actor: actorOf(token), role: token.role, apps: token.apps }
}

/** Path, query and body in the shapes of the route. @throws EbbError `invalid_id`, `invalid_query`, `invalid_body`, `proof_required` */
export function readShapes(
  route: Route,
  request: FastifyRequest,
): { params: unknown; query: unknown; body: unknown } {
  return {
    params: readShape(route.params, request.params, 'invalid_id'),
    query: route.query
      ? readShape(route.query, request.query, 'invalid_query')
      : requireNone(request.query, 'invalid_query'),
    body: route.body ? readBody(route.body, request.body) : requireNone(request.body, 'invalid_body'),
  }
}

function readShape(shape: z.ZodType | undefined, value: unknown, code: GatewayErrorCode): unknown {
  if (!shape) return undefined
  const parsed = shape.safeParse(value)
  if (!parsed.success) throw gatewayError(code)
  return parsed.data
}

/** A request without a word on the person's identity is told so: it is the slip that matters most. */
function readBody(shape: z.ZodType, value: unknown): unknown {
  const parsed = shape.safeParse(value ?? undefined)
  if (parsed.success) return parsed.data
  const paths = parsed.error.issues.map((issue) => issue.path.join('.'))
  throw gatewayError(paths.every((path) => path === 'proof') ? 'proof_required' : 'invalid_body')
}

/** What a route does not take is refused, not overlooked. */
function requireNone(value: unknown, code: GatewayErrorCode): undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'object' && Object.keys(value).length === 0) return undefined
  throw gatewayError(code)
}
