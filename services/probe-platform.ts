import type { Config } from '../runtime/config.ts'
import { canConnect, parseAddress } from './engine.ts'
import type { PlatformRecord } from './platform-file.ts'
import { isAlive } from './process-table.ts'

const PATIENCE_MS = 2_000

export interface Probe {
  name: string
  kind: 'engine' | 'process'
  /** null: not started by `ebb up`, but given by URL. */
  pid: number | null
  health: 'ok' | 'unhealthy' | 'down'
  /** Where it is reached. */
  at: string
  /** Records of `events` that are not in ClickHouse yet; ingest only. */
  lagRecords?: number
  residentBytes?: number
}

/** Looks at every engine and process once, side by side; nothing throws, what does not answer is `down`. */
export async function probePlatform(config: Config, platform: PlatformRecord | null): Promise<Probe[]> {
  const engines = [
    { name: 'kafka', at: config.kafka.brokers.join(','), port: 9092 },
    { name: 'clickhouse', at: withoutCredentials(config.clickhouse.url), port: 8123, path: '/ping' },
    { name: 'postgres', at: withoutCredentials(config.postgres.url), port: 5432 },
    { name: 'temporal', at: config.temporal.address, port: 7233 },
    { name: 'temporal-ui', at: config.temporal.uiUrl, port: 8233 },
    { name: 's3', at: config.s3.endpoint, port: 7070 },
  ].map(async (engine): Promise<Probe> => {
    const running = platform?.processes.find((entry) => entry.name === engine.name.replace('-ui', ''))
    const { host, port } = parseAddress(engine.at.split(',')[0] ?? '', engine.port)
    const reachable = await canConnect(host, port, PATIENCE_MS)
    const healthy = reachable && (!engine.path || (await answersOk(`http://${host}:${port}${engine.path}`)))
    const health = healthy ? 'ok' : reachable ? 'unhealthy' : 'down'
    return { name: engine.name, kind: 'engine', pid: running?.pid ?? null, health, at: engine.at }
  })
  const doors: Record<string, string | undefined> = {
    collector: platform?.collectorUrl,
    gateway: platform?.gatewayUrl,
  }
  const processes = (platform?.processes ?? [])
    .filter((entry) => entry.kind === 'process')
    .map((entry) => probeProcess(entry, doors[entry.name]))
  return Promise.all([...engines, ...processes])
}

async function probeProcess(entry: PlatformRecord['processes'][number], url?: string): Promise<Probe> {
  const base = entry.metricsUrl ?? ''
  const at = url ?? base
  const probe: Probe = { name: entry.name, kind: 'process', pid: entry.pid, health: 'down', at }
  if (!isAlive(entry.pid)) return probe
  probe.health = (await answersOk(`${base}/health`)) ? 'ok' : 'unhealthy'
  const metrics = await fetchText(`${base}/metrics`)
  const lag = sumOf(metrics, 'ebb_ingest_lag_records')
  const resident = sumOf(metrics, 'process_resident_memory_bytes')
  return {
    ...probe,
    ...(lag !== null && { lagRecords: lag }),
    ...(resident !== null && { residentBytes: resident }),
  }
}

/** The sum over all label sets of one metric in Prometheus text; null when it is not there. */
export function sumOf(metrics: string, name: string): number | null {
  const values = metrics
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)))
    .filter((value) => Number.isFinite(value))
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0)
}

function withoutCredentials(url: string): string {
  const plain = new URL(url)
  plain.username = ''
  plain.password = ''
  return plain.href
}

async function answersOk(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) }).then(
    (response) => response.ok,
    () => false,
  )
}

async function fetchText(url: string): Promise<string> {
  return fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) }).then(
    (response) => response.text(),
    () => '',
  )
}
