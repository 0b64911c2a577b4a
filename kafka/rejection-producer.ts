import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { type Rejection, TOPICS } from '../schemas/event-record.ts'
import { createKafka, createPartitioner, prefixed } from './client.ts'
import { createRejectionCounts } from './rejection-counts.ts'
import { sendRejections } from './send-rejections.ts'

export interface RejectionProducer {
  /** Adds to the counts; never waits and never fails. */
  count(rejection: Rejection): void
  /** Writes the counts now; resolves when Kafka has them. @throws the client's error, with the counts kept */
  flush(): Promise<void>
  /** Writes what is left (a Kafka that is away is waited for no longer than the client's retries), then disconnects. */
  close(): Promise<void>
}

const FLUSH_MS = 1_000

/**
 * Writes why events were refused to `events_rejected`: app, code, declared event name and a count, as JSON; never
 * content. Counts are gathered for a second, and kept for the next one when Kafka is away.
 */
export async function createRejectionProducer(config: Config, logger: Logger): Promise<RejectionProducer> {
  const topic = prefixed(config, TOPICS.eventsRejected)
  const producer = createKafka(config, logger, 'ebb-rejections').producer({
    allowAutoTopicCreation: false,
    createPartitioner,
  })
  await producer.connect()
  const counts = createRejectionCounts()
  let running: Promise<void> = Promise.resolve()

  const write = () =>
    sendRejections(counts, async (rejections) => {
      const messages = rejections.map((one) => ({ key: one.app, value: JSON.stringify(one) }))
      await producer.send({ topic, acks: -1, messages })
    })
  const flush = () => {
    running = running.then(write, write)
    return running
  }
  const timer = setInterval(() => {
    flush().catch((error) => logger.warn({ error: (error as Error).name }, 'rejections wait for Kafka'))
  }, FLUSH_MS)
  timer.unref()
  return {
    count: counts.add,
    flush,
    async close() {
      clearInterval(timer)
      await flush().catch((error) =>
        logger.warn({ error: (error as Error).name }, 'rejections were not written'),
      )
      await producer.disconnect()
    },
  }
}
