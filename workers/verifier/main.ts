import { readConfig } from '../../runtime/config.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createMetrics, serveMetrics } from '../../runtime/metrics.ts'
import { onShutdown } from '../../runtime/shutdown.ts'
import { missingVerifierCredentials } from '../../runtime/verifier-credentials.ts'
import { startVerifier } from './start-verifier.ts'

// The reader that is not the eraser: its own process, queue, credentials, closure and queries. It alone signs.
const config = readConfig()
const logger = createLogger('verifier', config.logLevel)
const metrics = createMetrics('verifier')

/** Statements are in the log or not: the next start takes up what a crash left. */
function crash(error: unknown): void {
  logger.fatal({ code: (error as { code?: unknown }).code ?? 'internal' }, 'verifier ends')
  process.exit(1)
}

const missing = missingVerifierCredentials(process.env)
if (missing.length > 0) {
  logger.warn({ missing }, 'without these the verifier works with the rights of those who erase')
}
const worker = await startVerifier(config, logger, crash)
const server = await serveMetrics(metrics, config.metricsPort, worker.healthy)
onShutdown(
  logger,
  async () => {
    await worker.stop()
    await server.close()
  },
  30_000,
)
worker.ended.catch(crash)
logger.info(
  { metricsUrl: `http://127.0.0.1:${server.port}/metrics`, taskQueue: config.verifier.taskQueue },
  'ready',
)
