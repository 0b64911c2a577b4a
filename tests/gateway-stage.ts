import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { createTokenDirectory } from '../gateway/authenticate.ts'
import { createErasureClient, type ErasureClient } from '../gateway/erasure-client.ts'
import { createOfficerActions } from '../gateway/officer-actions.ts'
import { createRateLimit } from '../gateway/rate-limit.ts'
import type { GatewayDeps } from '../gateway/route.ts'
import { createGatewayServer } from '../gateway/server.ts'
import { createApiToken, type NewApiToken } from '../postgres/api-tokens.ts'
import { createApp } from '../postgres/apps.ts'
import { createAuditLog } from '../postgres/audit-log.ts'
import { createPostgres, type TransactingPostgres } from '../postgres/client.ts'
import { type Keyring, openKeyring } from '../postgres/keyring.ts'
import { openKeyProvider } from '../postgres/open-key-provider.ts'
import { createStage, type Stage } from './stage.ts'

/** A date that a hold may end at, whenever the tests run. */
export const IN_A_YEAR = new Date(Date.now() + 365 * 86_400_000).toISOString()

export interface GatewayStage {
  stage: Stage
  postgres: TransactingPostgres
  keyring: Keyring
  server: FastifyInstance
  url: string
  port: number
  /** @returns a token of the role for these apps; null is all of them. */
  token(wish: Partial<NewApiToken> & Pick<NewApiToken, 'role'>): Promise<{ tokenId: string; token: string }>
  /** One call; `body` as JSON unless it is text. */
  call(
    route: string,
    options?: { token?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<{ status: number; headers: Headers; text: string; code: string | undefined }>
  close(): Promise<void>
}

/** A gateway over the real engines, in this process, with apps `shop` and `other`. */
export async function createGatewayStage(
  options: {
    deps?: Partial<GatewayDeps>
    erasures?: Partial<ErasureClient>
    environment?: Record<string, string>
  } = {},
): Promise<GatewayStage> {
  const stage = await createStage(options.environment ? { environment: options.environment } : {})
  const { config } = stage
  const postgres = createPostgres(config.postgres.url, { connections: 8 })
  const keyringPostgres = createPostgres(config.postgres.keyringUrl)
  const keyring = await openKeyring(keyringPostgres, await openKeyProvider(config))
  for (const app of ['shop', 'other']) await createApp(postgres, { app })
  const client = createErasureClient(config, 4_000)
  const erasures = { ...client, ...options.erasures }
  const server = createGatewayServer({
    postgres,
    keyring,
    actions: createOfficerActions({ postgres, keyring, erasures, privacy: config.privacy, now: Date.now }),
    audit: createAuditLog(postgres),
    tokens: createTokenDirectory({ postgres, freshMs: 0 }),
    readLogFile: async (key) => Buffer.from(key === 'checkpoint' ? 'ebb.local/log\n0\n' : 'a tile'),
    limits: {
      token: createRateLimit({ perMinute: 100_000 }),
      address: createRateLimit({ perMinute: 100_000 }),
    },
    paceMs: 0,
    metrics: { answered: () => {} },
    logger: pino({ level: 'silent' }),
    healthy: () => true,
    now: Date.now,
    ...options.deps,
  })
  await server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  let made = 0
  return {
    stage,
    postgres,
    keyring,
    server,
    url,
    port,
    token: (wish) =>
      createApiToken(postgres, { name: `desk-${++made}`, apps: ['shop'], expiresAt: null, ...wish }),
    async call(route, { token, body, headers = {} } = {}) {
      const [method, path] = route.split(' ') as [string, string]
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
      const response = await fetch(url + path, {
        method,
        headers: {
          ...(token && { authorization: `Bearer ${token}` }),
          ...(text !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(text !== undefined && { body: text }),
      })
      const answer = await response.text()
      const isJson = response.headers.get('content-type')?.startsWith('application/json')
      const code = isJson ? (JSON.parse(answer) as { code?: string }).code : undefined
      return { status: response.status, headers: response.headers, text: answer, code }
    },
    async close() {
      await server.close()
      await client.close()
      await Promise.all([postgres.close(), keyringPostgres.close()])
      await stage.close()
    },
  }
}

/** Actions with their outcomes, oldest first. */
export async function readAudit(
  postgres: TransactingPostgres,
): Promise<{ actor: string; action: string; object: string; outcome: string }[]> {
  return await postgres.query(
    'test_audit',
    'SELECT actor, action, object, outcome FROM audit_log ORDER BY seq',
    [],
  )
}
