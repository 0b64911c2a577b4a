import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createEventProducer } from '../kafka/event-producer.ts'
import { followSubjectStates } from '../kafka/follow-subject-states.ts'
import { createRejectionProducer } from '../kafka/rejection-producer.ts'
import { createSubjectStatePublisher } from '../kafka/subject-states.ts'
import { createPostgres, requireDurableCommits } from '../postgres/client.ts'
import { openKeyring } from '../postgres/keyring.ts'
import { openKeyProvider } from '../postgres/open-key-provider.ts'
import { createSubjectResolver } from '../postgres/resolve-subjects.ts'
import { createLinkWriter } from '../postgres/subject-links.ts'
import { createProfileWriter } from '../postgres/write-profiles.ts'
import { readConfig } from '../runtime/config.ts'
import { createLogger } from '../runtime/logger.ts'
import { createMetrics, serveMetrics } from '../runtime/metrics.ts'
import { onShutdown } from '../runtime/shutdown.ts'
import { startWhenReady } from '../runtime/start-when-ready.ts'
import { ACK_TIMEOUT_MS, CLOCK_SLACK_MS } from '../schemas/barrier.ts'
import { contactTraits } from '../schemas/registry.ts'
import { createByteBudget } from './byte-budget.ts'
import { createAppDirectory } from './find-app.ts'
import { createCollectorServer } from './http-server.ts'
import { createCollectorMetrics } from './metrics.ts'
import { createLateNotes } from './note-late.ts'
import { readRegistry } from './read-registry.ts'
import { createQuietAnswers } from './suppress-quietly.ts'

/** Bytes of requests and records in memory at most; objects made of them take a few times as much. */
const MAX_BYTES_UNDER_WAY = 48 * 1024 * 1024

/** From the first word of a stop to the closing of idle connections. */
const DRAIN_MS = 300

const config = readConfig()
const logger = createLogger('collector', config.logLevel)

// 1. What may be stored, and the keys to everything.
const registry = await readRegistry(config.eventDefinitionsFile)
const keyProvider = await openKeyProvider(config)

// 2. Postgres: subjects, and the keyring in a database of its own.
const postgres = createPostgres(config.postgres.url)
const keyringPostgres = createPostgres(config.postgres.keyringUrl)
const keyring = await startWhenReady(logger, 'postgres', async () => {
  await requireDurableCommits(postgres)
  await requireDurableCommits(keyringPostgres)
  return openKeyring(keyringPostgres, keyProvider)
})
const mayCreateUntil = () => states.endsAt() + CLOCK_SLACK_MS
const subjects = createSubjectResolver({ postgres, keyring, mayCreateUntil })
const links = createLinkWriter({ postgres, keyring, mayCreateUntil })
const profiles = createProfileWriter({ postgres, keyring, contactTraits: contactTraits(registry) })
const quiet = createQuietAnswers(subjects)

// 3. Kafka: what erasures say of people; events out, and counts of what was refused.
const states = await startWhenReady(logger, 'kafka', () =>
  followSubjectStates(config, logger, {
    leaseMs: config.privacy.leaseMs,
    onChange(handle) {
      for (const memory of [subjects, links, profiles, quiet]) memory.forget(handle)
    },
  }),
)
const statePublisher = await startWhenReady(logger, 'kafka', () =>
  createSubjectStatePublisher(config, logger),
)
const producer = await startWhenReady(logger, 'kafka', () => createEventProducer(config, logger))
const rejections = await startWhenReady(logger, 'kafka', () => createRejectionProducer(config, logger))

// 4. HTTP in.
let stopping = false
const budget = createByteBudget(MAX_BYTES_UNDER_WAY, producer.pendingBytes)
const metricsRegistry = createMetrics('collector')
const server = createCollectorServer({
  apps: createAppDirectory({
    postgres,
    keyring,
    maxAgeMs: config.privacy.suppressMs,
    onBrokenApp: (app, code) => logger.error({ app, code }, 'app cannot be served'),
  }),
  subjects,
  links,
  profiles,
  states,
  quiet,
  noteLate: createLateNotes({ postgres, publisher: statePublisher, states }),
  suppressMs: config.privacy.suppressMs,
  producer,
  rejections,
  registry,
  metrics: createCollectorMetrics(metricsRegistry, budget.used, subjects.cached),
  budget,
  logger,
  healthy: () => !stopping,
  now: Date.now,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  ackTimeoutMs: ACK_TIMEOUT_MS,
  missFloorMs: 25,
})
await new Promise<void>((resolve, reject) => {
  server.once('error', reject)
  server.listen(config.collector.port, config.collector.host, 4_096, resolve)
})
const metricsServer = await serveMetrics(metricsRegistry, config.metricsPort, () => !stopping)
const { port } = server.address() as AddressInfo
logger.info(
  {
    url: `http://${config.collector.host}:${port}`,
    metricsUrl: `http://127.0.0.1:${metricsServer.port}/metrics`,
  },
  'ready',
)

// The way out is the way in backwards: no new requests, the answers of those under way, then what is pending.
onShutdown(logger, async () => {
  stopping = true
  // Answers now say `connection: close`; those who have a request on its way get its answer before sockets are closed.
  await sleep(DRAIN_MS)
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  await closed
  await Promise.all([producer.close(), rejections.close(), statePublisher.close(), states.close()])
  await Promise.all([postgres.close(), keyringPostgres.close(), metricsServer.close()])
})
