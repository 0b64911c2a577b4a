import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROLES, type RouteName } from '../../gateway/roles.ts'
import { ROUTES } from '../../gateway/routes.ts'
import { revokeApiToken } from '../../postgres/api-tokens.ts'
import { Role } from '../../schemas/privacy-api.ts'
import { createGatewayStage, type GatewayStage, IN_A_YEAR, readAudit } from '../gateway-stage.ts'

// Erasures do not run here: what an officer says is noted, so that each cell asks about rights alone.
const said: string[] = []
let gateway: GatewayStage
const requests: Record<'shop' | 'other', string> = { shop: '', other: '' }
const HOLD = randomUUID()

beforeAll(async () => {
  const note = (what: string) => async (id: string) => void said.push(`${what} ${id}`)
  gateway = await createGatewayStage({
    erasures: {
      start: note('start'),
      cancel: note('cancel'),
      refuse: note('refuse'),
      releaseHold: note('release'),
      retryStore: note('retry'),
      certifyPartial: async (id) => {
        said.push(`partial ${id}`)
        return { digest: '0'.repeat(64), logIndex: 7, unreachable: ['s3/archive'] }
      },
      placeHold: async (id) => {
        said.push(`hold ${id}`)
        return HOLD
      },
    },
  })
  const { token } = await gateway.token({ role: 'compliance', apps: null })
  for (const app of ['shop', 'other'] as const) {
    const { text } = await gateway.call('POST /v1/privacy/requests', { token, body: bodyFor(app) })
    requests[app] = (JSON.parse(text) as { requestId: string }).requestId
  }
})
afterAll(() => gateway?.close())

function bodyFor(app: string) {
  return { app, identifiers: [{ label: 'email', value: 'ada@example.com' }], proof: 'account-session' }
}

/**
 * How each route is called about one app, who may, and what it answers when all is well. Who may is written here a second
 * time: a slip in gateway/roles.ts must meet somebody who knows better.
 */
const CALLS: Record<RouteName, { path: string; may: string; ok: number; body?: (app: string) => unknown }> = {
  'POST /v1/privacy/requests': {
    may: 'compliance app',
    path: '/v1/privacy/requests',
    ok: 202,
    body: bodyFor,
  },
  'GET /v1/privacy/requests': { may: 'compliance operator', path: '/v1/privacy/requests', ok: 200 },
  'GET /v1/privacy/requests/:id': {
    may: 'compliance operator app',
    path: '/v1/privacy/requests/ID',
    ok: 200,
  },
  'GET /v1/privacy/requests/:id/certificate': {
    may: 'compliance app',
    path: '/v1/privacy/requests/ID/certificate?format=salt',
    ok: 200,
  },
  'POST /v1/privacy/requests/:id/cancel': {
    may: 'compliance app',
    path: '/v1/privacy/requests/ID/cancel',
    ok: 200,
  },
  'POST /v1/privacy/requests/:id/refuse': {
    may: 'compliance',
    path: '/v1/privacy/requests/ID/refuse',
    ok: 200,
    body: () => ({ article: 'GDPR Art. 12(5)', reason: 'manifestly-unfounded' }),
  },
  'POST /v1/privacy/requests/:id/holds': {
    may: 'compliance',
    path: '/v1/privacy/requests/ID/holds',
    ok: 201,
    body: () => ({ fields: ['email'], article: 'GDPR Art. 17(3)(e)', until: IN_A_YEAR }),
  },
  'DELETE /v1/privacy/requests/:id/holds/:hold': {
    may: 'compliance',
    path: `/v1/privacy/requests/ID/holds/${HOLD}`,
    ok: 200,
  },
  'POST /v1/privacy/requests/:id/retry': {
    may: 'compliance operator',
    path: '/v1/privacy/requests/ID/retry',
    ok: 200,
  },
  'POST /v1/privacy/requests/:id/partial': {
    may: 'compliance',
    path: '/v1/privacy/requests/ID/partial',
    ok: 200,
  },
  'GET /v1/privacy/report': {
    may: 'compliance operator analyst',
    path: '/v1/privacy/report?month=2026-11',
    ok: 200,
  },
  'GET /v1/log/checkpoint': { may: 'public', path: '/v1/log/checkpoint', ok: 200 },
  'GET /v1/log/tile/*': { may: 'public', path: '/v1/log/tile/entries/000.p/3', ok: 200 },
  'GET /openapi.json': { may: 'public', path: '/openapi.json', ok: 200 },
  'GET /health': { may: 'public', path: '/health', ok: 200 },
}

const OWNERS = ['own app', 'other app', 'no token', 'bad token', 'expired', 'revoked'] as const

/** What the matrix says must come back; written apart from the code that decides it. */
function expected(route: RouteName, role: Role, owner: (typeof OWNERS)[number]): number | string {
  const { ok, may } = CALLS[route]
  if (may === 'public') return ok
  if (owner === 'no token') return 'token_missing'
  if (owner === 'bad token' || owner === 'expired' || owner === 'revoked') return 'token_invalid'
  if (!may.split(' ').includes(role)) return 'role_forbidden'
  if (owner === 'own app' || !route.includes(':id')) {
    return owner === 'other app' && route.startsWith('POST') ? 'app_forbidden' : ok
  }
  return 'request_unknown'
}

async function tokenFor(role: Role, owner: (typeof OWNERS)[number]): Promise<string | undefined> {
  if (owner === 'no token') return undefined
  if (owner === 'bad token') return `ebb_${'A'.repeat(32)}`
  const expiresAt = owner === 'expired' ? new Date(Date.now() - 1_000) : null
  const made = await gateway.token({ role, apps: ['shop'], expiresAt })
  if (owner === 'revoked') await revokeApiToken(gateway.postgres, made.tokenId)
  return made.token
}

test('Every route has a row in the matrix and in this test, and no row is without its route', () => {
  const names = ROUTES.map((route) => route.name).sort()
  expect(Object.keys(ROLES).sort()).toEqual(names)
  expect(Object.keys(CALLS).sort()).toEqual(names)
})

test('The routes that the server answers are those of the list', async () => {
  const listed = new Set(ROUTES.map((route) => route.name as string))
  const printed = gateway.server.printRoutes({ commonPrefix: false, includeHooks: false })
  const methods = [...printed.matchAll(/\((.+)\)/g)].flatMap((match) => match[1]!.split(', '))
  expect(methods).toHaveLength(listed.size)
})

const cells = ROUTES.flatMap(({ name }) =>
  Role.options.flatMap((role) => OWNERS.map((owner) => ({ name, role, owner }))),
)

describe('role × route', () => {
  test.each(cells)('$name by $role, $owner', async ({ name, role, owner }) => {
    const { path, body } = CALLS[name]
    const app = owner === 'other app' ? 'other' : 'shop'
    const before = said.length
    const token = await tokenFor(role, owner)
    const answer = await gateway.call(`${name.split(' ')[0]} ${path.replace('ID', requests[app])}`, {
      ...(token && { token }),
      ...(body && { body: body(app) }),
    })
    const wanted = expected(name, role, owner)
    expect(answer.code ?? answer.status).toBe(wanted)
    if (typeof wanted === 'string') expect(said).toHaveLength(before)
    if (name.includes('requests') && answer.status === 200) expect(answer.text).not.toContain(requests.other)
  })

  test('each of these calls is in the audit log, and none of them names a person or a token', async () => {
    const rows = await readAudit(gateway.postgres)
    const recorded = cells.filter(({ name }) => name !== 'GET /health').length
    expect(rows.length).toBe(recorded + 2)
    const text = JSON.stringify(rows)
    expect(text).not.toContain('ada@')
    expect(text).not.toContain('ebb_')
    for (const { name, role } of cells) {
      if (name === 'GET /health') continue
      expect(rows.some((row) => row.action === name)).toBe(true)
      if (expected(name, role, 'own app') === 'role_forbidden') {
        expect(rows.some((row) => row.action === name && row.outcome === '403 role_forbidden')).toBe(true)
      }
    }
  })
})
