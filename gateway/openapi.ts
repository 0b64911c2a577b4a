import { z } from 'zod'
import { ApiError } from '../schemas/privacy-api.ts'
import { answerFor, type GatewayErrorCode, gatewayError } from './error.ts'
import { type Access, ROLES } from './roles.ts'
import type { Route } from './route.ts'

type JsonObject = Record<string, unknown>

/** What any route may answer, by whether it has a body and needs a token. */
const ANYWHERE: readonly GatewayErrorCode[] = ['rate_limited', 'audit_unavailable', 'internal']
const WITH_TOKEN: readonly GatewayErrorCode[] = [
  'token_missing',
  'token_invalid',
  'role_forbidden',
  'tokens_unavailable',
  'postgres_unavailable',
]
const WITH_BODY: readonly GatewayErrorCode[] = [
  'invalid_json',
  'invalid_body',
  'body_too_large',
  'unsupported_media_type',
]

/** OpenAPI 3.1 of the routes, out of the schemas that requests are validated by. */
export function describeApi(routes: readonly Route[]): JsonObject {
  const paths: Record<string, JsonObject> = {}
  for (const route of routes) {
    const [method, path] = route.name.split(' ') as [string, string]
    const template = path.replace(/:(\w+)/g, '{$1}').replace('*', '{*}')
    paths[template] = { ...paths[template], [method.toLowerCase()]: describeRoute(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Ebb privacy requests',
      version: '1',
      description: 'Erasure that proves itself. Errors are {"code","message"}; codes are a closed list.',
    },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: jsonSchema(ApiError, 'output') },
    },
  }
}

function describeRoute(route: Route): JsonObject {
  const access: Access = ROLES[route.name]
  const open = access === 'public'
  return {
    summary: route.summary,
    operationId: operationId(route.name),
    ...(!open && { security: [{ token: [] }], 'x-roles': access }),
    parameters: [...parametersIn('path', route.params), ...parametersIn('query', route.query)],
    ...(route.body && {
      requestBody: {
        required: !route.body.safeParse(undefined).success,
        content: { 'application/json': { schema: jsonSchema(route.body, 'input') } },
      },
    }),
    responses: {
      [route.answer.status]: { description: 'Done', content: contentOf(route.answer) },
      ...errorsOf([
        ...ANYWHERE,
        ...(open ? [] : WITH_TOKEN),
        ...(route.body ? WITH_BODY : []),
        ...route.errors,
      ]),
    },
  }
}

function contentOf({ type = 'application/json', schema, alternatives = [] }: Route['answer']): JsonObject {
  const content = Object.fromEntries(alternatives.map((other) => [other, { schema: { type: 'string' } }]))
  return { [type]: { schema: schema ? jsonSchema(schema, 'output') : {} }, ...content }
}

/** One response for each status, naming the codes that it may carry. */
function errorsOf(codes: GatewayErrorCode[]): JsonObject {
  const byStatus = new Map<number, Set<GatewayErrorCode>>()
  for (const code of codes) {
    const { status } = answerFor(gatewayError(code))
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code))
  }
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [
      status,
      {
        description: [...some].map((code) => `${code}: ${gatewayError(code).message}`).join(' '),
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    ]),
  )
}

function parametersIn(place: 'path' | 'query', shape: z.ZodType | undefined): JsonObject[] {
  if (!shape) return []
  const { properties = {}, required = [] } = jsonSchema(shape, 'input') as {
    properties?: Record<string, JsonObject>
    required?: string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema,
  }))
}

function jsonSchema(shape: z.ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io })
  return schema
}

/** `GET /v1/privacy/requests/:id` → `getV1PrivacyRequestsId` */
function operationId(name: string): string {
  const words = name.toLowerCase().split(/[^a-z0-9]+/)
  return words
    .map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
    .join('')
}
