import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import type kafkajs from 'kafkajs'
import { BEAT_EVERY_MS, beatAll } from '../../activities/beat-while.ts'
import { mapErrors } from '../../activities/map-errors.ts'
import { createClickHouse } from '../../clickhouse/client.ts'
import { s3Collection } from '../../clickhouse/s3-collections.ts'
import { createKafka, prefixed } from '../../kafka/client.ts'
import { fetchIngestProgress } from '../../kafka/read-ingest-progress.ts'
import { createPostgres } from '../../postgres/client.ts'
import { openKeyReader } from '../../postgres/open-key-provider.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import { createS3 } from '../../s3/client.ts'
import { TOPICS } from '../../schemas/event-record.ts'
import { followRevocations } from '../ingest/follow-revocations.ts'
import { createAppendLeaf } from './append-leaf.ts'
import { createWitnessClient } from './ask-witness.ts'
import { createVerifierActivities, type VerifierDeps } from './create-verifier-activities.ts'
import { createHasEventsBefore, type ReadEventsKept } from './events-kept.ts'
import { keepTouching } from './keep-touching.ts'
import { createLogWriter } from './log-writer.ts'
import { createReadCopies } from './read-copies.ts'
import { createKeyringReader } from './read-keyring.ts'
import { readKeys } from './read-keys.ts'
import { createSearchKeys } from './search-keys.ts'
import { openSigningKeys, readRetired, writeKeyFile } from './signing-keys.ts'

/** Scans of all columns of tokens may take minutes. */
const QUERY_TIMEOUT_MS = 9 * 60_000
const STATEMENT_TIMEOUT_MS = 60_000
/** A thousand requests are verified at the same moment and share their looks; another thousand may wait for a recount, which costs nothing. */
const CONCURRENT_ACTIVITIES = 2_500

export interface OpenVerifier {
  deps: VerifierDeps
  close(): Promise<void>
}

/** Opens the verifier's own connections, with its own credentials. */
export async function openVerifier(
  config: Config,
  logger: Logger,
  onCrash: (error: Error) => void,
): Promise<OpenVerifier> {
  const { verifier } = config
  const keys = await openSigningKeys(verifier.folder, config.log.origin)
  await writeKeyFile(verifier.folder, keys, await readRetired(verifier.folder))
  const own = {
    clickhouse: { ...config.clickhouse, url: verifier.clickhouseUrl },
    s3: verifier.s3,
  }
  const postgres = createPostgres(verifier.postgresUrl, { timeoutMs: STATEMENT_TIMEOUT_MS })
  const keyringDatabase = createPostgres(verifier.keyringUrl, { timeoutMs: STATEMENT_TIMEOUT_MS })
  const clickhouse = createClickHouse(own, { requestTimeoutMs: QUERY_TIMEOUT_MS })
  const s3 = createS3(own)
  const provider = await openKeyReader(config)
  const admin = createKafka(config, logger, 'ebb-verifier').admin()
  await admin.connect()
  const revocations = await followRevocations(config, logger, onCrash)
  const topic = prefixed(config, TOPICS.events)
  const writer = createLogWriter({
    postgres,
    postgresUrl: verifier.postgresUrl,
    s3,
    folder: verifier.folder,
    origin: config.log.origin,
    witnesses: config.log.witnesses.map((address) => createWitnessClient(address, logger)),
    now: Date.now,
  })
  const deps: VerifierDeps = {
    postgres,
    keyring: createKeyringReader(keyringDatabase, provider),
    provider,
    clickhouse,
    collection: s3Collection(config, 'archive'),
    s3,
    revocations,
    readIngestProgress: () => fetchIngestProgress(admin, config),
    hasEventsBefore: createHasEventsBefore((moment) => readEventsKept(admin, topic, moment)),
    searchKeys: createSearchKeys((topics, onKey) => readKeys(config, logger, topics, onKey)),
    readCopies: createReadCopies({ postgres, s3, provider }),
    privacy: config.privacy,
    origin: config.log.origin,
    issuer: config.log.issuer,
    now: Date.now,
    append: createAppendLeaf(writer),
  }
  return {
    deps,
    async close() {
      await Promise.all([revocations.close(), admin.disconnect(), clickhouse.close()])
      await Promise.all([postgres.close(), keyringDatabase.close()])
      s3.close()
    },
  }
}

async function readEventsKept(
  admin: kafkajs.Admin,
  topic: string,
  afterMs: number,
): ReturnType<ReadEventsKept> {
  const [kept, after] = await Promise.all([
    admin.fetchTopicOffsets(topic),
    admin.fetchTopicOffsetsByTimestamp(topic, afterMs),
  ])
  const first = new Map(after.map((one) => [one.partition, Number(one.offset)]))
  return kept.map(({ partition, low, high }) => {
    const found = first.get(partition) ?? -1
    return { low: Number(low), firstAfter: found < 0 ? Number(high) : found }
  })
}

export interface VerifierWorker {
  healthy(): boolean
  ended: Promise<void>
  stop(): Promise<void>
}

/** Serves the verifier's task queue. It has no workflows: sagas call it by name. */
export async function startVerifier(
  config: Config,
  logger: Logger,
  onCrash: (error: Error) => void,
): Promise<VerifierWorker> {
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message }) => {
      if (level === 'ERROR') logger.error(message)
      else logger.warn(message)
    }),
    shutdownSignals: [],
  })
  const { deps, close } = await openVerifier(config, logger, onCrash)
  const connection = await NativeConnection.connect({ address: config.temporal.address })
  const worker = await Worker.create({
    connection,
    namespace: config.temporal.namespace,
    taskQueue: config.verifier.taskQueue,
    activities: mapErrors(beatAll(createVerifierActivities(deps)), logger),
    maxConcurrentActivityTaskExecutions: CONCURRENT_ACTIVITIES,
    maxHeartbeatThrottleInterval: BEAT_EVERY_MS,
    shutdownGraceTime: '20s',
  })
  const touching = keepTouching(config, logger)
  const ended = worker.run()
  return {
    healthy: () => worker.getState() === 'RUNNING',
    ended,
    async stop() {
      worker.shutdown()
      await Promise.all([ended, touching.stop()])
      await Promise.all([close(), connection.close()])
    },
  }
}
