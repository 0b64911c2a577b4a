import type { Role } from '../schemas/privacy-api.ts'

/** `public` needs no token; the others are roles of tokens. */
export type Access = 'public' | readonly Role[]

/**
 * Who may call what. A route without a row here does not start (server.ts), and a role without a word in a row may not.
 * Whatever the role, a token sees its own apps only.
 *
 * compliance carries out requests; operator keeps sagas running; analyst counts; app is the server of an app, which asks
 * on behalf of a person whom it has logged in.
 */
export const ROLES = {
  'POST /v1/privacy/requests': ['compliance', 'app'],
  'GET /v1/privacy/requests': ['compliance', 'operator'],
  'GET /v1/privacy/requests/:id': ['compliance', 'operator', 'app'],
  'GET /v1/privacy/requests/:id/certificate': ['compliance', 'app'],
  'POST /v1/privacy/requests/:id/cancel': ['compliance', 'app'],
  'POST /v1/privacy/requests/:id/refuse': ['compliance'],
  'POST /v1/privacy/requests/:id/holds': ['compliance'],
  'DELETE /v1/privacy/requests/:id/holds/:hold': ['compliance'],
  'POST /v1/privacy/requests/:id/retry': ['compliance', 'operator'],
  'POST /v1/privacy/requests/:id/partial': ['compliance'],
  'GET /v1/privacy/report': ['compliance', 'operator', 'analyst'],
  'GET /v1/log/checkpoint': 'public',
  'GET /v1/log/tile/*': 'public',
  'GET /openapi.json': 'public',
  'GET /health': 'public',
} as const satisfies Record<string, Access>

export type RouteName = keyof typeof ROLES

export function mayCall(route: RouteName, role: Role): boolean {
  const access: Access = ROLES[route]
  return access === 'public' || access.includes(role)
}
