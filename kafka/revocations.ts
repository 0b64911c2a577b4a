import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { createKafka, createPartitioner, prefixed } from './client.ts'

export interface RevocationPublisher {
  /**
   * @param token subject token, 16 bytes. @param at milliseconds since 1970
   * @returns the revocation's offset: ingest has applied it in every partition whose committed `rev` is greater.
   */
  publish(token: Buffer, at: number): Promise<bigint>
  close(): Promise<void>
}

/** Says to every ingest member that no record of this token may be stored from now on. */
export async function createRevocationPublisher(
  config: Config,
  logger: Logger,
): Promise<RevocationPublisher> {
  const topic = prefixed(config, TOPICS.revocations)
  const producer = createKafka(config, logger, 'ebb-revocations').producer({
    allowAutoTopicCreation: false,
    createPartitioner,
  })
  await producer.connect()
  return {
    async publish(token, at) {
      const [written] = await producer.send({
        topic,
        acks: -1,
        messages: [{ key: token, partition: 0, value: JSON.stringify({ at }) }],
      })
      return BigInt(written!.baseOffset!)
    },
    close: () => producer.disconnect(),
  }
}

/** One revocation, for callers that publish rarely. @returns its offset, see {@link RevocationPublisher.publish} */
export async function publishRevocation(
  config: Config,
  logger: Logger,
  token: Buffer,
  at: number,
): Promise<bigint> {
  const publisher = await createRevocationPublisher(config, logger)
  try {
    return await publisher.publish(token, at)
  } finally {
    await publisher.close()
  }
}
