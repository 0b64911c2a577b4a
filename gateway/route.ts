import type { z } from 'zod'
import type { AuditLog } from '../postgres/audit-log.ts'
import type { TransactingPostgres } from '../postgres/client.ts'
import type { Keyring } from '../postgres/keyring.ts'
import type { PrivacyRequest } from '../postgres/privacy-requests.ts'
import { readRequest } from '../postgres/privacy-requests.ts'
import { EbbError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Role } from '../schemas/privacy-api.ts'
import type { TokenDirectory } from './authenticate.ts'
import { type GatewayErrorCode, gatewayError } from './error.ts'
import type { GatewayMetrics } from './metrics.ts'
import type { OfficerActions } from './officer-actions.ts'
import type { RateLimit } from './rate-limit.ts'
import type { RouteName } from './roles.ts'

export interface GatewayDeps {
  postgres: TransactingPostgres
  keyring: Pick<Keyring, 'readSecrets'>
  actions: OfficerActions
  audit: AuditLog
  tokens: TokenDirectory
  /** An object of the log's bucket, by key; undefined where there is none. */
  readLogFile(key: string): Promise<Buffer | undefined>
  limits: { token: RateLimit; address: RateLimit }
  /** Milliseconds; answers leave at multiples of it, so that how long a look-up took is not seen. */
  paceMs: number
  metrics: GatewayMetrics
  logger: Logger
  healthy(): boolean
  /** Milliseconds since 1970. */
  now(): number
}

/** Who calls: the holder of a token. */
export interface Caller {
  actor: string
  role: Role
  /** null: all of them. */
  apps: string[] | null
}

export interface Call<Params, Query, Body> {
  deps: GatewayDeps
  params: Params
  query: Query
  body: Body
  caller: Caller
  /** Names what the call is about, for the audit log: the id of something that exists, never text of the caller's. */
  about(objectId: string): void
}

export interface Reply {
  status: number
  /** Default: application/json. */
  type?: string
  /** Text and bytes go out as they are; anything else as JSON. */
  body: unknown
  location?: string
}

/** One route: its shapes, from which requests are validated and /openapi.json is made, and what it does. */
export interface Route {
  name: RouteName
  summary: string
  params?: z.ZodType
  query?: z.ZodType
  body?: z.ZodType
  /** The answer when all went well. */
  answer: { status: number; type?: string; schema?: z.ZodType; alternatives?: readonly string[] }
  /** Codes of error.ts that this route can give, beside those that all can. */
  errors: readonly GatewayErrorCode[]
  handle(call: Call<never, never, never>): Reply | Promise<Reply>
}

type Parsed<Shape> = Shape extends z.ZodType ? z.infer<Shape> : undefined

/** Ties the handler's types to the route's shapes. */
export function defineRoute<
  Params extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(
  route: Omit<Route, 'params' | 'query' | 'body' | 'handle'> & {
    params?: Params
    query?: Query
    body?: Body
    handle(call: Call<Parsed<Params>, Parsed<Query>, Parsed<Body>>): Reply | Promise<Reply>
  },
): Route {
  return route as unknown as Route
}

/**
 * The request of the path, if the caller's token covers its app. Another app's request answers exactly as one that is not
 * there. @throws EbbError `request_unknown`
 */
export async function readOwnRequest(
  call: Pick<Call<{ id: string }, unknown, unknown>, 'deps' | 'params' | 'caller' | 'about'>,
): Promise<PrivacyRequest> {
  const request = await readRequest(call.deps.postgres, call.params.id).catch((error) => {
    if (error instanceof EbbError && error.code === 'request_unknown') return undefined
    throw error
  })
  if (request) call.about(request.requestId)
  const { apps } = call.caller
  if (!request || (apps !== null && !apps.includes(request.app))) throw gatewayError('request_unknown')
  return request
}
