import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClickHouseClient, createClickHouse } from '../clickhouse/client.ts'
import { createApp } from '../postgres/apps.ts'
import { createPostgres } from '../postgres/client.ts'
import { type Config, readConfig } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import type { DailyEtlResult, ReportResult } from '../schemas/etl.ts'
import { type RunningPlatform, startPlatform } from '../services/start-platform.ts'
import { DEMO_TIMES, demonstrateErasure, findShopper } from './demo-erasure.ts'
import { generateDay } from './generate-day.ts'
import { type PostTotals, postBatches } from './post-batches.ts'
import { connectEtl } from './run-etl.ts'
import { describe } from './up.ts'

/**
 * `npm run demo`: the platform from nothing, a day of events through it, live metrics, the daily ETL, the report, and the
 * erasure of one of the day's people with its certificate. Ends with one line of JSON.
 */
const SESSIONS = 6_000
/** The engines that the demo starts, and their data, are its own and new each time. It shares the folder of reports with `npm start`. */
const SEED = 20
const startedAt = Number(process.env.EBB_BOOTSTRAP_AT) || Date.now()
const say = (line: string) => process.stdout.write(`${line}\n`)

async function registerApps(config: Config): Promise<Record<string, string>> {
  const postgres = createPostgres(config.postgres.url, { connections: 1 })
  try {
    const apps = await Promise.all(['shop', 'learn'].map((app) => createApp(postgres, { app })))
    return Object.fromEntries(apps.map(({ app, writeKey }) => [app, writeKey]))
  } catch (error) {
    if (!(error instanceof EbbError) || error.code !== 'app_exists') throw error
    const wanted = 'the demo wants new databases: on engines given by URL, name some that do not exist yet'
    throw new EbbError(error.code, `${error.message}; ${wanted}`)
  } finally {
    await postgres.close()
  }
}

async function countStored(client: ClickHouseClient): Promise<number> {
  const result = await client.query({ query: 'SELECT count() FROM events_raw', format: 'JSONCompactEachRow' })
  return Number(((await result.json()) as [[string]])[0][0])
}

/** What an analyst sees at this moment: read as the user `bi`, from its views. */
async function liveMetrics(bi: ClickHouseClient, day: string): Promise<string> {
  const result = await bi.query({
    query: `SELECT app, event, sum(events) AS n, max(users) AS people FROM daily WHERE day = {day:Date}
            GROUP BY app, event ORDER BY n DESC LIMIT 6`,
    query_params: { day },
    format: 'JSONEachRow',
  })
  const rows = (await result.json()) as { app: string; event: string; n: string; people: string }[]
  return rows.map(({ app, event, n, people }) => `${app} ${event} ${n} (${people} people)`).join(' · ')
}

/** Sends the day while another loop prints the live metrics, then waits until all of it is stored. */
async function sendDay(
  platform: RunningPlatform,
  clients: { client: ClickHouseClient; bi: ClickHouseClient },
  day: string,
  writeKeys: Record<string, string>,
): Promise<{ totals: PostTotals; stored: number }> {
  let current: PostTotals = { sent: 0, accepted: 0, rejectedByCode: {} }
  let sending = true
  const watching = (async () => {
    while (sending) {
      await sleep(1_000)
      say(
        `  accepted ${current.accepted}, stored ${await countStored(clients.client)} | ${await liveMetrics(clients.bi, day)}`,
      )
    }
  })().catch(() => undefined)
  try {
    const totals = await postBatches(generateDay({ day, sessions: SESSIONS, seed: SEED }), {
      url: platform.collectorUrl,
      writeKeys,
      concurrency: 16,
      rate: 12_000,
      onProgress(now) {
        current = now
      },
    })
    let stored = await countStored(clients.client)
    for (let waited = 0; stored < totals.accepted && waited < 180_000; waited += 100) {
      await sleep(100)
      stored = await countStored(clients.client)
    }
    return { totals, stored }
  } finally {
    sending = false
    await watching
  }
}

async function runEtl(config: Config, day: string): Promise<{ etl: DailyEtlResult; report: ReportResult }> {
  const client = await connectEtl(config)
  try {
    return { etl: await client.run(day), report: await client.report(day) }
  } finally {
    await client.close()
  }
}

async function demo(): Promise<boolean> {
  const home = join(readConfig().home, 'demo')
  say('1. Starting the engines and every process (what is missing is fetched once)')
  const platform = await startPlatform({
    home,
    fresh: true,
    brief: true,
    ports: 'preferred',
    environment: { ...process.env, ...DEMO_TIMES },
    onProgress: (line) => say(`  ${line}`),
  })
  const stop = () => platform.stop()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop().finally(() => process.exit(130)))
  try {
    const config = readConfig(platform.environment)
    const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)
    const writeKeys = await registerApps(config)
    const client = createClickHouse(config)
    const bi = createClickHouse(config, {
      database: config.clickhouse.biDatabase,
      username: 'bi',
      password: config.clickhouse.biPassword || 'bi',
    })
    const setupMs = Date.now() - startedAt

    say(`\n2. Sending ${day}, a day of a shop and of a learning app, through the collector`)
    const { totals, stored } = await sendDay(platform, { client, bi }, day, writeKeys)
    const rejected = Object.values(totals.rejectedByCode).reduce((sum, count) => sum + count, 0)
    say(
      `  ${totals.sent} sent, ${totals.accepted} accepted, ${stored} stored, ${rejected} rejected by the gate`,
    )

    say(`\n3. Daily ETL of ${day}, in Temporal`)
    const { etl, report } = await runEtl(config, day)
    const batchEqualsStream = etl.driftedCount === 0 && etl.equal > 0 && etl.events === stored
    say(
      `  batch counted ${etl.events} events in ${etl.rows} rows; ${etl.equal} rows equal the stream's, ${etl.driftedCount} differ`,
    )

    say('\n4. Business report\n')
    say(report.text)
    say('\n5. Erasing one shopper of the day, everywhere, and proving it')
    const { erasureMs, certificateVerified, rowsErased } = await demonstrateErasure(
      config,
      findShopper(day, SESSIONS, SEED),
      {
        clickhouse: client,
        folder: home,
        collectorUrl: platform.collectorUrl,
        writeKey: writeKeys.shop!,
        say,
      },
    )
    say(`\n6. Where to look (this run stops now; \`npm start\` keeps the platform up)\n${describe(platform)}`)
    await client.close()
    await bi.close()
    await stop()
    const { path: reportPath } = report
    say(
      JSON.stringify({
        eventsAccepted: totals.accepted,
        eventsStored: stored,
        rejected,
        batchEqualsStream,
        reportPath,
        erasureMs,
        certificateVerified,
        rowsErased,
        setupMs,
        runMs: Date.now() - startedAt - setupMs,
      }),
    )
    return batchEqualsStream && stored === totals.accepted && certificateVerified && rowsErased > 0
  } catch (error) {
    await stop()
    throw error
  }
}

demo().then(
  (ok) => process.exit(ok ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
