import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { createKafka, createPartitioner, prefixed } from './client.ts'

/** Key that no reader of the compacted topics takes for one of theirs. */
const TOUCH_KEY = 'touch'

/**
 * Writes a record without meaning to every partition of the compacted topics. A segment is only closed, and so cleaned, by
 * a record that comes after its time: without this the last handles and tokens of a quiet platform would stay on the disk.
 */
export async function touchTopics(config: Config, logger: Logger): Promise<void> {
  const kafka = createKafka(config, logger, 'ebb-touch')
  const admin = kafka.admin()
  const producer = kafka.producer({ allowAutoTopicCreation: false, createPartitioner })
  try {
    await Promise.all([admin.connect(), producer.connect()])
    const names = [TOPICS.subjectStates, TOPICS.revocations].map((name) => prefixed(config, name))
    const { topics } = await admin.fetchTopicMetadata({ topics: names })
    for (const { name, partitions } of topics) {
      const messages = partitions.map(({ partitionId }) => ({
        key: TOUCH_KEY,
        value: String(Date.now()),
        partition: partitionId,
      }))
      await producer.send({ topic: name, acks: -1, messages })
    }
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect()])
  }
}
