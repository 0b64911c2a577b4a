import { randomUUID } from 'node:crypto'
import type kafkajs from 'kafkajs'
import { createKafka, prefixed } from '../../kafka/client.ts'
import { touchTopics } from '../../kafka/touch-topics.ts'
import type { Config } from '../../runtime/config.ts'
import { EbbError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'

/** Bound of one reading; it is asked for again. */
const READ_MS = 5 * 60_000

export type OnKey = (topic: string, key: Buffer) => void

/**
 * Hands over the key of every record that these topics (named without prefix) hold, tombstones included, from their beginning
 * to where they ended when it was called. A record without meaning is written to each partition of the compacted topics before,
 * so that a segment which is due is closed, and the end is never one that compaction has emptied.
 * @throws EbbError `store_unreadable` when the end was not reached in five minutes; kafkajs's errors
 */
export async function readKeys(
  config: Config,
  logger: Logger,
  topics: readonly string[],
  onKey: OnKey,
): Promise<void> {
  await touchTopics(config, logger)
  const kafka = createKafka(config, logger, 'ebb-verifier')
  const admin = kafka.admin()
  await admin.connect()
  // The group exists only for this reading: kafkajs has no consumer without one. Its offsets are never committed.
  const groupId = prefixed(config, `verifier-${randomUUID()}`)
  const consumer = kafka.consumer({ groupId, allowAutoTopicCreation: false, maxWaitTimeInMs: 200 })
  try {
    const names = new Map(topics.map((topic) => [prefixed(config, topic), topic]))
    const ends = await readEnds(admin, [...names.keys()])
    if (ends.size === 0) return
    await consumer.connect()
    await consumer.subscribe({ topics: [...names.keys()], fromBeginning: true })
    await consumeTo(consumer, ends, (topic, key) => onKey(names.get(topic)!, key))
  } finally {
    await consumer.disconnect()
    await admin.deleteGroups([groupId]).catch(() => undefined)
    await admin.disconnect()
  }
}

/** Ends of the partitions that hold anything, by `topic partition`. */
async function readEnds(admin: kafkajs.Admin, topics: readonly string[]): Promise<Map<string, bigint>> {
  const ends = new Map<string, bigint>()
  for (const topic of topics) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      if (BigInt(high) > BigInt(low)) ends.set(`${topic} ${partition}`, BigInt(high))
    }
  }
  return ends
}

async function consumeTo(consumer: kafkajs.Consumer, ends: Map<string, bigint>, onKey: OnKey): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const late = () => reject(new EbbError('store_unreadable', "a topic's end was not reached"))
      timer = setTimeout(late, READ_MS)
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error)
      })
      const eachBatch = async ({ batch }: kafkajs.EachBatchPayload) => {
        for (const { key } of batch.messages) if (key) onKey(batch.topic, key)
        const place = `${batch.topic} ${batch.partition}`
        const end = ends.get(place)
        if (end !== undefined && BigInt(batch.lastOffset()) + 1n >= end) ends.delete(place)
        if (ends.size === 0) resolve()
      }
      consumer.run({ autoCommit: false, eachBatch }).catch(reject)
    })
  } finally {
    clearTimeout(timer)
  }
}
