import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { isLeftOut } from '../runtime/left-out-purge.ts'
import { createLogger } from '../runtime/logger.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { createKafka, prefixed } from './client.ts'

export type TopicErrorCode = 'topics_failed'

const HOUR_MS = 3_600_000

/**
 * Partitions of `events` when the topic is made. A subject's records must stay in one partition for as long as its
 * retries may come (24 h), so that ingest sees the second beside the first: add partitions only while no client retries.
 * Three are a lane, which one ingest member writes (ADR 0012): the others stand by.
 */
export const EVENT_PARTITIONS = 3

/** The largest record batch of `events`: a send of the producer is at most 2 MB and one record at most 1 MB. */
export const EVENT_MAX_MESSAGE_BYTES = 8 * 1024 * 1024

interface TopicSettings {
  partitions: number
  entries: Record<string, string>
}

const DAY_MS = 24 * HOUR_MS
/** Kafka's name for it. */
const FOREVER_MS = -1
/**
 * From the moment at which nobody can read a segment to its end on the disk. A certificate names what can be read: the default of a
 * minute would leave bytes on the disk that it does not speak of.
 */
const FILE_DELETE_DELAY_MS = 1_000

/**
 * What each topic must be, by the retention of `events` (24 h unless configured).
 * - `events`: short segments so that expired and erased records leave the disk soon after; times are the broker's.
 * - `subject_states`, `revocations`: compacted, never expired; the lag of twice the retention keeps the first revocation of
 *   a token at its offset for longer than `events` lives, since ingest filters a repeated cut as of an offset. What was
 *   withdrawn is gone from the disk within five times the retention, if something is written after it (touch-topics.ts).
 */
export function topicSettings(
  retentionMs = DAY_MS,
): Record<(typeof TOPICS)[keyof typeof TOPICS], TopicSettings> {
  const compacted = {
    'cleanup.policy': 'compact',
    'min.compaction.lag.ms': String(2 * retentionMs),
    'max.compaction.lag.ms': String(3 * retentionMs),
    'delete.retention.ms': String(retentionMs),
    'segment.ms': String(retentionMs),
    'file.delete.delay.ms': String(FILE_DELETE_DELAY_MS),
  }
  return {
    [TOPICS.events]: {
      partitions: EVENT_PARTITIONS,
      entries: {
        'cleanup.policy': 'delete',
        'retention.ms': String(isLeftOut('event-expiry') ? FOREVER_MS : retentionMs),
        'message.timestamp.type': 'LogAppendTime',
        'segment.ms': String(Math.min(HOUR_MS / 4, retentionMs)),
        'segment.bytes': String(128 * 1024 * 1024),
        'max.message.bytes': String(EVENT_MAX_MESSAGE_BYTES),
        'file.delete.delay.ms': String(FILE_DELETE_DELAY_MS),
      },
    },
    [TOPICS.eventsRejected]: {
      partitions: 1,
      entries: { 'cleanup.policy': 'delete', 'retention.ms': String(7 * DAY_MS) },
    },
    [TOPICS.subjectStates]: { partitions: EVENT_PARTITIONS, entries: compacted },
    [TOPICS.revocations]: { partitions: 1, entries: compacted },
  }
}

/** With the retention that is not configured otherwise. */
export const TOPIC_SETTINGS = topicSettings()

/**
 * Makes the topics that are missing and waits until each has a leader. Topics that exist keep their partitions;
 * their settings are put right. Any number of processes may call this at the same time.
 * @throws EbbError `topics_failed`
 */
export async function ensureTopics(config: Config): Promise<void> {
  const admin = createKafka(config, createLogger('topics', config.logLevel), 'ebb-topics').admin()
  try {
    await admin.connect()
    const existing = new Set(await admin.listTopics())
    const wanted = Object.entries(topicSettings(config.privacy.eventsRetentionMs)).map(
      ([name, settings]) => ({
        topic: prefixed(config, name),
        numPartitions: settings.partitions,
        replicationFactor: -1,
        configEntries: Object.entries(settings.entries).map(([key, value]) => ({ name: key, value })),
      }),
    )
    const missing = wanted.filter(({ topic }) => !existing.has(topic))
    if (missing.length > 0) {
      await admin.createTopics({ topics: missing, waitForLeaders: false })
      await waitForLeaders(
        admin,
        missing.map(({ topic }) => topic),
      )
    }
    const kept = wanted.filter(({ topic }) => existing.has(topic))
    if (kept.length > 0) await correctSettings(admin, kept)
  } catch (error) {
    throw new EbbError('topics_failed', `topics could not be made: ${(error as Error).message}`, {
      cause: error,
    })
  } finally {
    await admin.disconnect()
  }
}

type Admin = ReturnType<ReturnType<typeof createKafka>['admin']>
type Wanted = { topic: string; configEntries: { name: string; value: string }[] }

const LEADERS_TIMEOUT_MS = 120_000

/** kafkajs's own wait gives up when the broker that it asks has not heard of the new topic yet. */
async function waitForLeaders(admin: Admin, topics: string[]): Promise<void> {
  const deadline = Date.now() + LEADERS_TIMEOUT_MS
  for (;;) {
    try {
      const metadata = await admin.fetchTopicMetadata({ topics })
      if (metadata.topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))) return
      if (Date.now() > deadline) throw new Error(`no leader of ${topics.join(', ')}`)
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** 2 is a topic in Kafka's numbering of config resources. */
const TOPIC_RESOURCE = 2

async function correctSettings(admin: Admin, topics: Wanted[]): Promise<void> {
  const described = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map(({ topic, configEntries }) => ({
      type: TOPIC_RESOURCE,
      name: topic,
      configNames: configEntries.map((entry) => entry.name),
    })),
  })
  const wrong = topics.filter(({ topic, configEntries }) => {
    const found = described.resources.find((resource) => resource.resourceName === topic)?.configEntries ?? []
    return configEntries.some(
      ({ name, value }) => found.find((entry) => entry.configName === name)?.configValue !== value,
    )
  })
  if (wrong.length === 0) return
  await admin.alterConfigs({
    validateOnly: false,
    resources: wrong.map(({ topic, configEntries }) => ({
      type: TOPIC_RESOURCE,
      name: topic,
      configEntries,
    })),
  })
}
