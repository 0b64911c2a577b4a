import kafkajs from 'kafkajs'
import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { quietRequestQueue } from './quiet-request-queue.ts'

const { Kafka, logLevel, Partitioners } = kafkajs

/** Named, since kafkajs warns of its choice at every start otherwise; `events` is partitioned by us. */
export const createPartitioner = Partitioners.DefaultPartitioner

/** Fields of kafkajs's log entries that are worth keeping; the rest is noise or could hold payloads. */
const KEPT = ['message', 'error', 'broker', 'groupId', 'topic', 'partition', 'retryCount'] as const

/**
 * A kafkajs client. Its own log lines come out of our logger as warnings: most of what it calls an error it then
 * retries, and what it does not retry reaches the caller as an exception.
 */
export function createKafka(config: Config, logger: Logger, clientId: string): kafkajs.Kafka {
  quietRequestQueue()
  return new Kafka({
    clientId,
    brokers: config.kafka.brokers,
    connectionTimeout: 5_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 6 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => {
      const kept: Record<string, unknown> = {}
      for (const field of KEPT) if (entry.log[field] !== undefined) kept[field] = entry.log[field]
      logger.warn({ kafka: kept }, `kafka: ${entry.namespace || 'client'}`)
    },
  })
}

/** The name of a topic or group on this broker: test runs share one without meeting. */
export function prefixed(config: Config, name: string): string {
  return `${config.kafka.topicPrefix}${name}`
}
