import type { AddressInfo } from 'node:net'
import { createAuditLog } from '../postgres/audit-log.ts'
import { createPostgres, requireDurableCommits } from '../postgres/client.ts'
import { openKeyring } from '../postgres/keyring.ts'
import { openKeyProvider } from '../postgres/open-key-provider.ts'
import { readConfig } from '../runtime/config.ts'
import { createLogger } from '../runtime/logger.ts'
import { createMetrics, serveMetrics } from '../runtime/metrics.ts'
import { onShutdown } from '../runtime/shutdown.ts'
import { startWhenReady } from '../runtime/start-when-ready.ts'
import { createS3 } from '../s3/client.ts'
import { getObject } from '../s3/get-object.ts'
import { createTokenDirectory } from './authenticate.ts'
import { createErasureClient } from './erasure-client.ts'
import { createGatewayMetrics } from './metrics.ts'
import { createOfficerActions } from './officer-actions.ts'
import { createRateLimit } from './rate-limit.ts'
import { createGatewayServer } from './server.ts'
import { sweepForgotten } from './start-forgotten.ts'

/** Longer than a request takes when nothing is wrong: every answer of a kind then leaves at the same time. */
const PACE_MS = 100
const CALLS_PER_MINUTE = 1_000
const SWEEP_MS = 15_000

const config = readConfig()
const logger = createLogger('gateway', config.logLevel)

// 1. Postgres: requests, tokens, the audit log; and the keyring, for the keys of requests.
const postgres = createPostgres(config.postgres.url, { connections: 8 })
const keyringPostgres = createPostgres(config.postgres.keyringUrl)
const keyProvider = await openKeyProvider(config)
const keyring = await startWhenReady(logger, 'postgres', async () => {
  await requireDurableCommits(postgres)
  await requireDurableCommits(keyringPostgres)
  return openKeyring(keyringPostgres, keyProvider)
})

// 2. Temporal runs the erasures; object storage holds the log. Both may be away while we start.
const erasures = createErasureClient(config)
const s3 = createS3(config)

// 3. HTTP in.
let stopping = false
const registry = createMetrics('gateway')
const server = createGatewayServer({
  postgres,
  keyring,
  actions: createOfficerActions({ postgres, keyring, erasures, privacy: config.privacy, now: Date.now }),
  audit: createAuditLog(postgres),
  tokens: createTokenDirectory({ postgres }),
  readLogFile: (key) => getObject(s3, 'log', key),
  limits: {
    token: createRateLimit({ perMinute: CALLS_PER_MINUTE }),
    address: createRateLimit({ perMinute: CALLS_PER_MINUTE }),
  },
  paceMs: PACE_MS,
  metrics: createGatewayMetrics(registry),
  logger,
  healthy: () => !stopping,
  now: Date.now,
})
await server.listen({ host: config.gateway.host, port: config.gateway.port })
const metricsServer = await serveMetrics(registry, config.metricsPort, () => !stopping)
const ending = new AbortController()
const swept = sweepForgotten({
  postgres,
  erasures,
  now: Date.now,
  logger,
  everyMs: SWEEP_MS,
  signal: ending.signal,
})
const { port } = server.server.address() as AddressInfo
logger.info(
  {
    url: `http://${config.gateway.host}:${port}`,
    metricsUrl: `http://127.0.0.1:${metricsServer.port}/metrics`,
  },
  'ready',
)

onShutdown(logger, async () => {
  stopping = true
  ending.abort()
  await server.close()
  await swept
  s3.close()
  await Promise.all([erasures.close(), postgres.close(), keyringPostgres.close(), metricsServer.close()])
})
