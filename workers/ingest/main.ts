import { createClickHouse } from '../../clickhouse/client.ts'
import { prefixed } from '../../kafka/client.ts'
import { createRejectionProducer } from '../../kafka/rejection-producer.ts'
import { readTopicIdentity } from '../../kafka/topic-identity.ts'
import { readConfig } from '../../runtime/config.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createMetrics, serveMetrics } from '../../runtime/metrics.ts'
import { onShutdown } from '../../runtime/shutdown.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import { readBrokenPromise } from './break-promise.ts'
import { consumeEvents } from './consume-events.ts'
import { describeCrash } from './describe-crash.ts'
import { followRevocations } from './follow-revocations.ts'
import { createIngestMetrics } from './ingest-metrics.ts'

// Kafka's `events` into ClickHouse, each record exactly once. In this order:
//   1. follow `revocations`, which every cut is filtered by             follow-revocations.ts
//   2. join the group for whole lanes of partitions                     assign-lanes.ts, consume-events.ts
//   3. read offsets, metadata and what the tables hold                  open-session.ts, open-partitions.ts, decide-start.ts
//   4. fill a buffer for each partition                                 consume-events.ts, inspect-record.ts
//   5. choose a lane's round: a cut of each partition that has records  run-lane.ts, choose-round.ts, choose-cut.ts
//   6. drop what is revoked, repeated or poison                         filter-cut.ts, find-retries.ts
//   7. declare the round by one fenced commit                           write-round.ts, open-lane.ts, group-commit.ts
//   8. insert it with its token: one insert, or one a partition         insert-cuts.ts
//   9. acknowledge it by the commit that declares the next              run-lane.ts
const config = readConfig()
const logger = createLogger('ingest', config.logLevel)

/** A crash is always safe: the next start goes on from the last commit. A supervisor restarts the process. */
function crash(error: Error): void {
  logger.fatal(describeCrash(error), 'ingest ends')
  process.exit(1)
}
process.on('unhandledRejection', (error) => crash(error as Error))

const breaks = readBrokenPromise(process.env)
const registry = createMetrics('ingest')
const clickhouse = createClickHouse(config, { requestTimeoutMs: 20_000 })
const identity = await readTopicIdentity(config.kafka.brokers, prefixed(config, TOPICS.events)).catch(crash)
const rejections = await createRejectionProducer(config, logger)
const revocations = await followRevocations(config, logger, crash)
const consumer = await consumeEvents({
  config,
  logger,
  clickhouse,
  revocations,
  rejections,
  metrics: createIngestMetrics(registry),
  identity: identity!,
  breaks,
  recover: config.ingestRewinds,
  onCrash: crash,
})
const metrics = await serveMetrics(registry, config.metricsPort, consumer.isReady)
onShutdown(logger, async () => {
  await consumer.close()
  await Promise.all([rejections.close(), revocations.close(), metrics.close()])
  await clickhouse.close()
})
logger.info({ metricsUrl: `http://127.0.0.1:${metrics.port}/metrics` }, 'ready')
