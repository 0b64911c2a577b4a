import { randomUUID } from 'node:crypto'
import { Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import { decodeRows } from '../gate/row-binary.ts'
import type { Config } from '../runtime/config.ts'
import { type Rejection, TOPICS } from '../schemas/event-record.ts'
import type { EventRow } from '../schemas/event-row.ts'

/** Every message of a topic (named without prefix), from its beginning to where it ends now. */
export async function readTopic(config: Config, name: string): Promise<KafkaMessage[]> {
  const topic = `${config.kafka.topicPrefix}${name}`
  const kafka = new Kafka({ brokers: config.kafka.brokers, logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const ends = new Map<number, bigint>()
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
    if (BigInt(high) > BigInt(low)) ends.set(partition, BigInt(high))
  }
  await admin.disconnect()
  const messages: KafkaMessage[] = []
  if (ends.size === 0) return messages
  const consumer = kafka.consumer({ groupId: `test-${randomUUID()}` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        autoCommit: false,
        eachMessage: async ({ partition, message }) => {
          const end = ends.get(partition)
          if (end === undefined || BigInt(message.offset) >= end) return
          messages.push(message)
          if (BigInt(message.offset) === end - 1n) ends.delete(partition)
          if (ends.size === 0) resolve()
        },
      })
      .catch(reject)
  })
  await consumer.disconnect()
  return messages
}

/** All rows in `events`, as ingest would store them but for retries, which are still double here. */
export async function readEventRows(config: Config): Promise<EventRow[]> {
  const messages = await readTopic(config, TOPICS.events)
  return messages.flatMap((message) => decodeRows(message.value!))
}

/** Counts of `events_rejected` by code, for one app. */
export async function readRejections(config: Config, app: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const message of await readTopic(config, TOPICS.eventsRejected)) {
    const rejection = JSON.parse(message.value!.toString()) as Rejection
    if (rejection.app !== app) continue
    counts.set(rejection.code, (counts.get(rejection.code) ?? 0) + rejection.count)
  }
  return counts
}
