import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '../clickhouse/client.ts'
import { builtScript } from '../runtime/project-root.ts'
import type { RunningPlatform } from '../services/start-platform.ts'
import type { DashboardFigures } from './dashboards.ts'
import { startCpuClock } from './process-figures.ts'
import { countEvents, latencyPercentile, watchArrivals } from './watch-arrivals.ts'

const GENERATOR = builtScript('bench/load-generator.ts')
/** A rate counts as held when at least this share of it was accepted and arrived. */
const HELD_SHARE = 0.98

interface GeneratorReport {
  acceptedEvents: number
  rejectedEvents: number
  refusedRequests: number
  unsentRequests: number
  offeredPerS: number
  answerP99Ms: number
}

export interface StepFigures {
  /** Events accepted a second, over the step. */
  eventsPerS: number
  p50Ms: number | undefined
  p99Ms: number | undefined
  cpuSPerMillionEvents: Record<string, number>
  during: DashboardFigures | undefined
  /** True when the whole rate was taken, nothing was refused, all of it arrived, and p99 is below the limit. */
  holds(p99LimitMs: number): boolean
}

/** Steps of load from a process of its own; arrival is read by querying ClickHouse. */
export function createEndToEnd(deps: {
  platform: RunningPlatform
  client: ClickHouseClient
  writeKey: string
  people: number
  say(line: string): void
}) {
  const { platform, client, writeKey, people, say } = deps

  async function step(
    rate: number,
    seconds: number,
    measureDuring?: () => Promise<DashboardFigures>,
  ): Promise<StepFigures> {
    const before = await countEvents(client, 'bench')
    const watch = watchArrivals(client, 'bench')
    const stopClock = startCpuClock(platform.processes)
    const generating = runGenerator({ url: platform.collectorUrl, writeKey, rate, seconds, people })
    const during = measureDuring ? await sleep((seconds * 1000) / 3).then(measureDuring) : undefined
    const { report, cpuS: generatorCpuS } = await generating
    let arrived = 0
    for (let waited = 0; arrived < report.acceptedEvents && waited < 20_000; waited += 200) {
      await sleep(200)
      arrived = (await countEvents(client, 'bench')) - before
    }
    const arrivals = await watch.stop()
    const cpu = { ...stopClock(), 'load-generator': generatorCpuS }
    const perMillion = Object.fromEntries(
      Object.entries(cpu).map(([name, s]) => [name, Math.round((s * 1e8) / report.acceptedEvents) / 100]),
    )
    const p50Ms = latencyPercentile(arrivals, 0.5)
    const p99Ms = latencyPercentile(arrivals, 0.99)
    const eventsPerS = Math.round(report.acceptedEvents / seconds)
    const missing = report.acceptedEvents - arrived
    say(
      `${rate}/s for ${Math.round(seconds)} s: accepted ${eventsPerS}/s, refused ${report.refusedRequests}, rejected ${report.rejectedEvents}, ` +
        `not arrived ${missing}, not seen ${arrivals.missed}, p50 ${p50Ms} ms, p99 ${p99Ms} ms, answers p99 ${report.answerP99Ms} ms, CPU-s per million ${JSON.stringify(perMillion)}`,
    )
    const whole =
      eventsPerS >= rate * HELD_SHARE &&
      report.refusedRequests === 0 &&
      report.unsentRequests === 0 &&
      missing === 0 &&
      arrivals.missed === 0
    return {
      eventsPerS,
      p50Ms,
      p99Ms,
      cpuSPerMillionEvents: perMillion,
      during,
      holds: (limit) => whole && p99Ms !== undefined && p99Ms < limit,
    }
  }
  return { step }
}

async function runGenerator(load: {
  url: string
  writeKey: string
  rate: number
  seconds: number
  people: number
}): Promise<{ report: GeneratorReport; cpuS: number }> {
  const child = spawn(
    process.execPath,
    [
      ...[GENERATOR, '--url', load.url, '--write-key', load.writeKey],
      ...['--rate', String(load.rate), '--seconds', String(load.seconds), '--people', String(load.people)],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  if (code !== 0) throw new Error(`the load generator ended with ${code}`)
  const report = JSON.parse(output.trim().split('\n').at(-1)!) as GeneratorReport & { cpuS: number }
  return { report, cpuS: report.cpuS }
}
