import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Client, Connection } from '@temporalio/client'
import { type PrivacyOffice, withPrivacyOffice } from '../cli/privacy-office.ts'
import { createClickHouse } from '../clickhouse/client.ts'
import { createApp } from '../postgres/apps.ts'
import { createRandom } from '../runtime/random.ts'
import { followUpErasuresId } from '../workers/temporal/workflow-ids.ts'
import { findUnequalViews } from './count-survivors.ts'
import { type RequestTimes, waitForRequests } from './erasure/erase-people.ts'
import { startDrillPlatform } from './erasure/platform.ts'
import { waitForIngest } from './erasure/send-people.ts'
import { createSend, eraseWhileLinking, type Send } from './shared-devices/erase-while-linking.ts'
import { callOf, drawGraph, eventOf, type Graph, type Node, visitOf } from './shared-devices/graphs.ts'
import { findLateLink, judge, judgeLate, type Trial, type Verdict } from './shared-devices/judge.ts'
import { findFault, readHeld } from './shared-devices/read-nodes.ts'

/**
 * `npm run drill:shared-devices -- --graphs 200`: people and devices, linked at random; one of each graph is erased while more
 * links come in, and some links are told only when all is done. Whoever was linked in time must be gone to the last row,
 * and whoever was not must have every row. Exit 1 otherwise. Ends with one line of JSON.
 */
const { values } = parseArgs({
  options: {
    graphs: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** Leaves the platform's home behind, to look into. */
    keep: { type: 'boolean', default: false },
  },
})
const APP = 'drill'
const EVENTS_BEFORE = 3
const GRAPHS_AT_ONCE = 25
/** One in so many graphs gets a link after its certificate. */
const LATE_EVERY = 4
/** Nothing that ages is waited for. */
const HORIZON_S = 3_600
const startedAt = Date.now()
const say = (line: string) =>
  process.stdout.write(`${((Date.now() - startedAt) / 1_000).toFixed(0).padStart(5)} s  ${line}\n`)
const seed = Number(values.seed)
const random = createRandom(seed)

async function eachOf<Item>(items: readonly Item[], lanes: number, work: (item: Item) => Promise<unknown>) {
  const waiting = [...items]
  const lane = async () => {
    for (let item = waiting.shift(); item; item = waiting.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

async function sendGraph(send: Send, { nodes, links, seenTogether }: Graph): Promise<void> {
  for (let n = 0; n < EVENTS_BEFORE; n++) await send(nodes.map(eventOf))
  if (seenTogether.length > 0) await send(seenTogether.map(visitOf))
  if (links.length > 0) await send(links.map(callOf))
}

/** Waits until every request of the app has its certificate, those included that nobody asked for. */
async function untilCertified({ postgres, ...office }: PrivacyOffice): Promise<void> {
  const rows = await postgres.query<{ request_id: string }>(
    'drill_all_requests',
    'SELECT request_id FROM privacy_requests WHERE app = $1',
    [APP],
  )
  const isDone = ({ certifiedAt }: RequestTimes) => certifiedAt !== undefined
  const requestIds = rows.map((row) => row.request_id)
  const times = await waitForRequests({ postgres, ...office }, requestIds, {
    ...{ isDone, say, timeoutMs: 900_000 },
  })
  if (!times.every(isDone)) throw new Error('not every erasure got its certificate')
}

/** Waits until late links are taken up; the schedule for it is asked to come round sooner than it would. */
async function untilFollowedUp({ postgres, config }: PrivacyOffice): Promise<void> {
  const { address, namespace, taskQueue } = config.temporal
  const connection = await Connection.connect({ address })
  try {
    const schedule = new Client({ connection, namespace }).schedule.getHandle(followUpErasuresId(taskQueue))
    for (let tries = 0; tries < 60; tries++) {
      const late = await postgres.query('drill_late_links', 'SELECT handle FROM late_links LIMIT 1', [])
      if (late.length === 0) return
      await schedule.trigger()
      await sleep(3_000)
    }
    throw new Error('late links are not followed up')
  } finally {
    await connection.close()
  }
}

/** Tells some graphs' late links, with a moment before the erasure, and events of before it. */
async function sendLate(
  send: Send,
  trials: readonly Trial[],
  verdicts: Map<Trial, Verdict>,
): Promise<number> {
  let told = 0
  for (const [number, trial] of trials.entries()) {
    const verdict = verdicts.get(trial)!
    const link = number % LATE_EVERY === 0 ? findLateLink(trial, verdict) : undefined
    if (!link) continue
    await send([eventOf(link.from), eventOf(link.to), callOf(link)], trial.askedAt - 1_000)
    verdicts.set(trial, judgeLate(trial, verdict, link))
    told++
  }
  return told
}

/** Events of a node that were acknowledged. */
function countSent({ graph, during }: Trial, node: Node): number {
  const visits = graph.seenTogether.filter(({ to }) => to === node).length
  return EVENTS_BEFORE + visits + during.filter(({ link }) => link.to === node).length
}

say(`seed ${seed}, ${values.graphs} graphs`)
const graphs = Array.from({ length: Number(values.graphs) }, (_, number) => drawGraph(number, random))
const nodes = graphs.flatMap((graph) => graph.nodes)
const drill = await startDrillPlatform({
  keep: values.keep,
  horizons: { eventsS: HORIZON_S, backupS: HORIZON_S, keyringBackupS: HORIZON_S, suppressS: HORIZON_S },
  say,
})
const clickhouse = createClickHouse(drill.config, { requestTimeoutMs: 300_000 })
let failed = true
try {
  await withPrivacyOffice(drill.config, async (office) => {
    const { writeKey } = await createApp(office.postgres, { app: APP })
    const send = createSend(drill.platform.collectorUrl, writeKey)
    await eachOf(graphs, GRAPHS_AT_ONCE, (graph) => sendGraph(send, graph))
    await waitForIngest(drill.config)
    const before = await readHeld(office, clickhouse, APP, nodes)
    say(`sent and stored: ${nodes.length} people and devices`)

    const trials: Trial[] = []
    await eachOf(graphs, GRAPHS_AT_ONCE, async (graph) => {
      trials.push(await eraseWhileLinking(office, send, { app: APP, graph, random }))
    })
    say(`${trials.length} erasures asked for while links came in`)
    await untilCertified(office)
    const verdicts = new Map(trials.map((trial) => [trial, judge(trial)]))
    const told = await sendLate(send, trials, verdicts)
    say(`${told} links told after the certificates`)
    await untilFollowedUp(office)
    await untilCertified(office)
    await waitForIngest(drill.config)

    const after = await readHeld(office, clickhouse, APP, nodes)
    const counts = { erased: 0, others: 0, undecided: 0, left: 0, changed: 0 }
    for (const trial of trials) {
      const verdict = verdicts.get(trial)!
      for (const node of trial.graph.nodes) {
        const isGone = verdict.gone.has(node)
        counts[isGone ? 'erased' : verdict.perhaps.has(node) ? 'undecided' : 'others']++
        const fault = findFault(node, verdict, { before, after, sent: countSent(trial, node) })
        if (fault) say(`${node.mark}: ${fault}`)
        if (fault) counts[fault]++
      }
    }
    const unequal = await findUnequalViews(clickhouse)
    const during = trials.flatMap((trial) => trial.during.map((sent) => ({ ...sent, trial })))
    const report = {
      ...{ graphs: trials.length, seed, ids: nodes.length },
      ...{ erased: counts.erased, others: counts.others, undecided: counts.undecided },
      linksWhileBlocking: during.filter(
        ({ sentAt, answeredAt, trial }) => answeredAt >= trial.askedAt && sentAt <= trial.blockedAt,
      ).length,
      linksAfterBlock: during.filter(({ sentAt, trial }) => sentAt > trial.blockedAt).length,
      linksAfterCertificate: told,
      ...{ survivors: counts.left, othersChanged: counts.changed },
      aggregatesEqualRaw: Object.keys(unequal).length === 0,
    }
    const isTried =
      report.others * report.linksWhileBlocking * report.linksAfterBlock * report.linksAfterCertificate > 0
    if (!isTried) say('links of some kind, or others, were missing: it proves nothing')
    failed = !isTried || counts.left + counts.changed > 0 || !report.aggregatesEqualRaw
    await drill.stop()
    process.stdout.write(`${JSON.stringify(report)}\n`)
  })
} finally {
  await clickhouse.close()
  await drill.stop()
}
process.exit(failed ? 1 : 0)
