import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createClickHouse } from '../clickhouse/client.ts'
import { createKafka, prefixed } from '../kafka/client.ts'
import { createApp } from '../postgres/apps.ts'
import { createPostgres } from '../postgres/client.ts'
import { type Config, readConfig } from '../runtime/config.ts'
import { createLogger } from '../runtime/logger.ts'
import { createRandom } from '../runtime/random.ts'
import { TOPICS } from '../schemas/event-record.ts'
import { type RunningPlatform, startPlatform } from '../services/start-platform.ts'
import { createTemporaryHome } from '../services/temporary-home.ts'
import { LANE_PARTITIONS } from '../workers/ingest/limits.ts'
import { countSurvivors, findUnequalViews } from './count-survivors.ts'
import { EVENTS_PER_BATCH, startDrillClients } from './drill-client.ts'
import { waitForIngest } from './erasure/send-people.ts'
import { drawFault, FAULT_POINTS, injectFault } from './inject-faults.ts'
import { readCount } from './read-count.ts'

/**
 * `npm run drill:crash -- --kills N [--seed S] [--rate B] [--points a,b] [--break variant]`: under load, processes and engines are killed, stopped
 * and woken, at durability boundaries and at random moments, clients retrying all the while; then every acknowledged
 * event is looked for. Exit 1 when one is lost or counted twice, or a view differs from raw. Ends with one line of JSON.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    rate: { type: 'string', default: '60' },
    break: { type: 'string' },
    points: { type: 'string' },
  },
})
const kills = readCount('kills', values.kills)
const seed = Number(values.seed)
const random = createRandom(seed)
const points = values.points?.split(',')
if (!(Number(values.rate) > 0)) throw new Error('--rate is a number of batches a second')
const unknown = points?.find((point) => !(point in FAULT_POINTS))
if (unknown) throw new Error(`no fault point ${unknown}; there are ${Object.keys(FAULT_POINTS).join(', ')}`)
/** A boundary that was aimed at is reached some time, however busy the machine. */
const AIMED_WAIT_MS = 90_000
const say = (line: string) => process.stdout.write(`${line}\n`)

/** Gives `events` two lanes, so that both members write and lanes move between them. Everybody looks at the topic anew. */
async function addLane(config: Config, running: RunningPlatform): Promise<void> {
  const admin = createKafka(config, createLogger('drill', 'error'), 'ebb-drill').admin()
  await admin.connect()
  const topic = prefixed(config, TOPICS.events)
  await admin.createPartitions({ topicPartitions: [{ topic, count: 2 * LANE_PARTITIONS }] })
  await admin.disconnect()
  for (const name of ['collector', 'ingest', 'ingest-2']) await running.restart(name)
}

const home = await createTemporaryHome('ebb-drill-')
const faultFile = join(home, 'fault')
const naive: Record<string, string> = values.break ? { EBB_DRILL: '1', EBB_INGEST_BREAK: values.break } : {}
say(`seed ${seed}, ${kills} faults${values.break ? `, with ingest broken on purpose: ${values.break}` : ''}`)
const platform = await startPlatform({
  home,
  ports: 'free',
  brief: true,
  only: ['kafka', 'clickhouse', 'postgres', 's3'],
  environment: { ...process.env, EBB_FAULT: `@${faultFile}`, EBB_LOG_LEVEL: 'warn' },
  processes: [
    { kind: 'collector' },
    { kind: 'ingest', environment: naive },
    { kind: 'ingest', name: 'ingest-2', environment: naive },
  ],
})
let stopped = false
const stop = async () => {
  if (stopped) return
  stopped = true
  await platform.stop()
  await rm(home, { recursive: true, force: true })
}
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop().finally(() => process.exit(130)))

let failed = true
try {
  const config = readConfig(platform.environment)
  await addLane(config, platform)
  const postgres = createPostgres(config.postgres.url, { connections: 1 })
  const { writeKey } = await createApp(postgres, { app: 'drill' })
  await postgres.close()
  const url = platform.collectorUrl
  const clients = startDrillClients({ url, writeKey, rate: Number(values.rate), people: 2_000, clients: 12 })

  let struck = 0
  for (let tries = 0; struck < kills && tries < kills * 3; tries++) {
    await sleep(500 + random() * 1_500)
    const fault = drawFault(random, points)
    const hit = await injectFault(platform, faultFile, fault, points ? { pointWaitMs: AIMED_WAIT_MS } : {})
    if (hit) struck++
    say(
      `${String(struck).padStart(4)} ${hit ? '' : '(not reached) '}${JSON.stringify(fault)}, acknowledged ${clients.acked.size} batches`,
    )
  }

  say('the clients finish, ingest catches up')
  const unacked = await clients.stop()
  await waitForIngest(config)
  const client = createClickHouse(config, { requestTimeoutMs: 120_000 })
  const survivors = await countSurvivors(client, clients.acked)
  const unequal = await findUnequalViews(client)
  await client.close()
  failed = survivors.lost > 0 || survivors.duplicated > 0 || Object.keys(unequal).length > 0 || struck < kills
  if (Object.keys(unequal).length > 0) say(`views that differ from raw, in rows: ${JSON.stringify(unequal)}`)
  await stop()
  say(
    JSON.stringify({
      kills: struck,
      seed,
      acked: clients.acked.size * EVENTS_PER_BATCH,
      unackedBatches: unacked.length,
      retries: clients.retries(),
      ...survivors,
      viewsEqualRaw: Object.keys(unequal).length === 0,
    }),
  )
} finally {
  await stop()
}
process.exit(failed ? 1 : 0)
