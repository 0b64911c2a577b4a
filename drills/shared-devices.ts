import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Client } from '@temporalio/client'
import { connectTemporal } from '../cli/connect-temporal.ts'
import { type PrivacyOffice, withPrivacyOffice } from '../cli/privacy-office.ts'
import { createClickHouse } from '../clickhouse/client.ts'
import { createApp } from '../postgres/apps.ts'
import { inLanes } from '../runtime/in-lanes.ts'
import { createRandom } from '../runtime/random.ts'
import { followUpErasuresId } from '../workers/temporal/workflow-ids.ts'
import { findUnequalViews } from './count-survivors.ts'
import { type RequestTimes, waitForRequests } from './erasure/erase-people.ts'
import { startDrillPlatform } from './erasure/platform.ts'
import { waitForIngest } from './erasure/send-people.ts'
import { readCount } from './read-count.ts'
import { createSay } from './say.ts'
import { createSend, eraseWhileLinking, type Send } from './shared-devices/erase-while-linking.ts'
import { callOf, drawGraph, eventOf, type Graph, visitOf } from './shared-devices/graphs.ts'
import {
  countSent,
  countTried,
  findFault,
  findLateLink,
  judge,
  judgeLate,
  type Trial,
  type Verdict,
} from './shared-devices/judge.ts'
import { readHeld, readNodeIds } from './shared-devices/read-nodes.ts'

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
/** The office that asks has two connections to Postgres. */
const GRAPHS_AT_ONCE = 10
/** Nothing that ages is waited for. */
const HORIZON_S = 3_600
/** Share of the graphs of which a busy machine may leave it open what was refused. */
const MOST_OPEN = 0.1

const say = createSay()
const graphCount = readCount('graphs', values.graphs)
const seed = Number(values.seed)
const random = createRandom(seed)

async function sendGraph(send: Send, { nodes, links, seenTogether }: Graph): Promise<void> {
  for (let n = 0; n < EVENTS_BEFORE; n++) await send(nodes.map(eventOf))
  if (seenTogether.length > 0) await send(seenTogether.map(visitOf))
  if (links.length > 0) await send(links.map(callOf))
}

/** Waits until every request of the app has its certificate, those included that nobody asked for. */
async function untilCertified(office: PrivacyOffice): Promise<void> {
  const rows = await office.postgres.query<{ request_id: string }>(
    'drill_all_requests',
    'SELECT request_id FROM privacy_requests WHERE app = $1',
    [APP],
  )
  const isDone = ({ certifiedAt }: RequestTimes) => certifiedAt !== undefined
  const requestIds = rows.map((row) => row.request_id)
  const times = await waitForRequests(office, requestIds, { isDone, say, timeoutMs: 900_000 })
  if (!times.every(isDone)) throw new Error('not every erasure got its certificate')
}

/** Waits until late links are taken up; the schedule for it is asked to come round sooner than it would. */
async function untilFollowedUp({ postgres, config }: PrivacyOffice): Promise<void> {
  const { address, namespace, taskQueue } = config.temporal
  const connection = await connectTemporal(address)
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

interface Judged {
  trial: Trial
  verdict: Verdict
}

/** Tells some graphs a link of before the erasure, with events of before it. @returns what must be gone after that */
async function tellLate(send: Send, { trial, verdict }: Judged): Promise<Judged & { isTold: boolean }> {
  const link = trial.graph.isToldLate ? findLateLink(trial, verdict) : undefined
  if (!link) return { trial, verdict, isTold: false }
  await send([eventOf(link.from), eventOf(link.to), callOf(link)], trial.askedAt - 1_000)
  return { trial, verdict: judgeLate(trial, verdict, link), isTold: true }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)

say(`seed ${seed}, ${values.graphs} graphs`)
const graphs = Array.from({ length: graphCount }, (_, number) => drawGraph(number, random))
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
    await inLanes(graphs, GRAPHS_AT_ONCE, (graph) => sendGraph(send, graph))
    await waitForIngest(drill.config)
    const ids = await readNodeIds(office, APP, nodes)
    const before = await readHeld(office, clickhouse, APP, ids)
    say(`sent and stored: ${nodes.length} people and devices`)

    const trials = await inLanes(graphs, GRAPHS_AT_ONCE, (graph) =>
      eraseWhileLinking(office, send, APP, graph),
    )
    say(`${trials.length} erasures asked for while links came in`)
    await untilCertified(office)
    const judged = trials.map((trial) => ({ trial, verdict: judge(trial) }))
    const told = await inLanes(judged, GRAPHS_AT_ONCE, (one) => tellLate(send, one))
    say(`${told.filter(({ isTold }) => isTold).length} links told after the certificates`)
    await untilFollowedUp(office)
    await untilCertified(office)
    await waitForIngest(drill.config)

    const after = await readHeld(office, clickhouse, APP, ids)
    const counts = { left: 0, changed: 0 }
    for (const { trial, verdict } of told) {
      for (const node of trial.graph.nodes) {
        const found = { before: before.get(node)!, after: after.get(node)! }
        const fault = findFault(node, verdict, { ...found, sent: countSent(trial, node, EVENTS_BEFORE) })
        if (!fault) continue
        counts[fault]++
        const { rows, marked, traces } = found.after
        say(`${node.mark}: ${fault} (${rows.length} rows, ${marked} marked, ${traces} in the vault)`)
      }
    }
    const unequal = await findUnequalViews(clickhouse)
    if (Object.keys(unequal).length > 0) say(`aggregates that differ from raw: ${JSON.stringify(unequal)}`)
    const tried = judged.map(({ trial, verdict }) => countTried(trial, verdict))
    const erased = sum(told.map(({ verdict }) => verdict.mustGo.size))
    const undecided = sum(told.map(({ verdict }) => verdict.mayGo.size)) - erased
    const report = {
      ...{ graphs: graphs.length, seed, open: trials.filter(({ stored }) => !stored).length },
      ...{
        erased,
        undecided,
        others: sum(trials.map(({ graph }) => graph.nodes.length)) - erased - undecided,
      },
      erasedByLinksDuring: sum(tried.map(({ taken }) => taken)),
      linksRefused: sum(tried.map(({ refused }) => refused)),
      linksToldLate: told.filter(({ isTold }) => isTold).length,
      linksTakenTooLate: sum(judged.map(({ verdict }) => verdict.takenTooLate.length)),
      ...{ survivors: counts.left, othersChanged: counts.changed },
      aggregatesEqualRaw: Object.keys(unequal).length === 0,
    }
    const isTried =
      report.others * report.erasedByLinksDuring * report.linksRefused * report.linksToldLate > 0 &&
      report.open <= graphs.length * MOST_OPEN
    if (!isTried) say('links of some kind, or others, were missing, or too much is open: it proves nothing')
    failed =
      !isTried ||
      report.survivors + report.othersChanged + report.linksTakenTooLate > 0 ||
      !report.aggregatesEqualRaw
    await drill.stop()
    process.stdout.write(`${JSON.stringify(report)}\n`)
  })
} finally {
  await clickhouse.close()
  await drill.stop()
}
process.exit(failed ? 1 : 0)
