import { readConfig } from '../../runtime/config.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createMetrics, serveMetrics } from '../../runtime/metrics.ts'
import { onShutdown } from '../../runtime/shutdown.ts'
import { startTemporalWorker } from './start-worker.ts'

const config = readConfig()
const logger = createLogger('temporal-worker', config.logLevel)
const metrics = createMetrics('temporal-worker')

const worker = await startTemporalWorker({ config, logger, metrics })
const server = await serveMetrics(metrics, config.metricsPort, worker.healthy)
onShutdown(
  logger,
  async () => {
    await worker.stop()
    await server.close()
  },
  30_000,
)
logger.info(
  { metricsUrl: `http://127.0.0.1:${server.port}/metrics`, taskQueue: config.temporal.taskQueue },
  'ready',
)

// A worker that ends by itself has lost its server for good: leave, so that a supervisor starts another.
worker.ended.catch((error) => {
  logger.fatal({ err: error }, 'worker ended')
  process.exit(1)
})
