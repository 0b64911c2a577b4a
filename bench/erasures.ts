import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { askRows } from '../clickhouse/await-parts-gone.ts'
import { type ClickHouseClient, createClickHouse } from '../clickhouse/client.ts'
import { countSubjectRows } from '../clickhouse/count-subject-rows.ts'
import { eraseSubjects } from '../clickhouse/erase-subjects.ts'
import { rederiveAggregates } from '../clickhouse/rederive-aggregates.ts'
import { readConfig } from '../runtime/config.ts'
import { startEngines } from '../services/start-engines.ts'
import { ensureYear } from './dashboards.ts'

/**
 * `npm run bench:erasures`: a year of events in a ClickHouse of its own, out of which batches of people are erased, each with the
 * recount of its aggregates. Nothing is ingested beside it. Ends with one line of JSON; `--rows 500000 --people 5000 --batches 1,10,100`
 * is for a look, not for a figure.
 */
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000000' },
    people: { type: 'string', default: '50000' },
    batches: { type: 'string', default: '1,10,100,1000' },
  },
})
const batches = values.batches.split(',').map(Number)
const say = (line: string) => process.stdout.write(`${line}\n`)
const round = (value: number, digits = 1) => Number(value.toFixed(digits))

/** Whose rows are counted and stay. */
const OTHERS = 100

interface BatchFigures {
  subjects: number
  appDays: number
  seconds: number
  msPerErasure: number
  /** Shares of the time: deletion of the rows, until their parts are off the disk; recount of the aggregates likewise. */
  deletionShare: number
  recountShare: number
  heldMs: number
}

async function measureBatch(client: ClickHouseClient, tokens: Buffer[]): Promise<BatchFigures> {
  const start = performance.now()
  await eraseSubjects(client, randomUUID(), tokens)
  const deleted = performance.now()
  const { days, heldMs } = await rederiveAggregates({
    clickhouse: client,
    withIngestHeld: (work) => work(() => Number.POSITIVE_INFINITY),
  })
  const end = performance.now()
  return {
    subjects: tokens.length,
    appDays: days.length,
    seconds: round((end - start) / 1_000),
    msPerErasure: round((end - start) / tokens.length),
    deletionShare: round((deleted - start) / (end - start), 2),
    recountShare: round((end - deleted) / (end - start), 2),
    heldMs: Math.round(heldMs),
  }
}

/** How long it takes to count one person's rows: of people who are erased, and of others, who have some. */
async function measureSurvivorCount(
  client: ClickHouseClient,
  { erased, others }: { erased: Buffer[]; others: Buffer[] },
): Promise<number[]> {
  const times: number[] = []
  for (const token of [...erased, ...others]) {
    const start = performance.now()
    const rows = await countSubjectRows(client, token)
    times.push(performance.now() - start)
    if (Object.keys(rows).length > 0 !== others.includes(token))
      throw new Error('an erased person has rows, or somebody else has none')
  }
  return times.sort((a, b) => a - b)
}

/** Raw, live and batch figures of all days that a daily ETL has counted. */
async function aggregatesEqualRaw(client: ClickHouseClient): Promise<boolean> {
  const raw = `SELECT app, toDate(ts) AS day, event, currency, count() AS n, uniq(subject) AS u, uniqIf(session, session != 0) AS s
    FROM events_raw WHERE toDate(ts) IN (SELECT day FROM metrics_batch_daily) GROUP BY ALL`
  const live = `SELECT app, day, event, currency, sum(t.events) AS n, uniqMerge(users) AS u, uniqIfMerge(sessions) AS s
    FROM metrics_streaming_daily AS t WHERE day IN (SELECT day FROM metrics_batch_daily) GROUP BY ALL`
  const batch = `SELECT app, day, event, currency, events AS n, users AS u, sessions AS s FROM metrics_batch_daily`
  for (const other of [live, batch])
    for (const [one, two] of [
      [raw, other],
      [other, raw],
    ]) {
      const [row] = await askRows<{ n: number }>(
        client,
        `SELECT count() AS n FROM ((${one}) EXCEPT (${two}))`,
      )
      if (row?.n !== 0) return false
    }
  return true
}

async function waitForMerges(client: ClickHouseClient): Promise<void> {
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await sleep(500)) {
    const [row] = await askRows<{ n: number }>(client, 'SELECT count() AS n FROM system.merges')
    if (row?.n === 0) return
  }
}

const machine = `${cpus().length} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`
say(`machine: ${machine}`)
let equal = false
const home = await mkdtemp(join(tmpdir(), 'ebb-bench-'))
const engines = await startEngines({ home, only: ['clickhouse'], ports: 'free', onProgress: say })
try {
  const started = performance.now()
  const year = await ensureYear(readConfig(engines.environment), {
    rows: Number(values.rows),
    people: Number(values.people),
    lastDay: new Date().toISOString().slice(0, 10),
  })
  const client = createClickHouse(year, { requestTimeoutMs: 600_000 })
  await waitForMerges(client)
  say(
    `a year of ${values.rows} events of ${values.people} people: ${round((performance.now() - started) / 1_000)} s`,
  )
  const people = await askRows<{ token: string }>(
    client,
    'SELECT hex(subject) AS token FROM events_raw GROUP BY subject ORDER BY cityHash64(subject) LIMIT {n:UInt32}',
    { n: batches.reduce((sum, size) => sum + size, OTHERS) },
  )
  const tokens = people.map(({ token }) => Buffer.from(token, 'hex'))
  const figures: BatchFigures[] = []
  let erased: Buffer[] = []
  for (const size of batches) {
    erased = tokens.splice(0, size)
    const measured = await measureBatch(client, erased)
    figures.push(measured)
    say(`${size} subjects: ${JSON.stringify(measured)}`)
  }
  const counts = await measureSurvivorCount(client, { erased: erased.slice(0, OTHERS), others: tokens })
  equal = await aggregatesEqualRaw(client)
  const largest = figures.at(-1)
  await client.close()
  say(
    JSON.stringify({
      machine,
      events: Number(values.rows),
      batches: figures,
      erasuresPerHour: largest ? Math.round((3_600 / largest.seconds) * largest.subjects) : 0,
      survivorCountP50Ms: round(counts[Math.floor(counts.length / 2)] ?? 0),
      survivorCountMaxMs: round(counts.at(-1) ?? 0),
      aggregatesEqualRaw: equal,
    }),
  )
} finally {
  await engines.stop()
  await rm(home, { recursive: true, force: true })
}
process.exit(equal ? 0 : 1)
