import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readConfig } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { ENGINE_NAMES, type EngineName } from './engine.ts'
import { keepAlive } from './keep-alive.ts'
import { migrateAll } from './migrate-all.ts'
import { type PlatformRecord, removePlatform, writePlatform } from './platform-file.ts'
import { type PortReservations, reservePorts } from './reserve-port.ts'
import { type RunningEngines, type StartOptions, startEngines } from './start-engines.ts'
import { type SupervisedProcess, superviseProcess } from './supervise-process.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const COLLECTOR_PORT = 8080

/** Our processes, in the order they start; they stop in the same order, so that what flows in ends first. */
export const PROCESS_SCRIPTS = {
  collector: 'collector/main.ts',
  ingest: 'workers/ingest/main.ts',
  'temporal-worker': 'workers/temporal/main.ts',
} as const
export type ProcessKind = keyof typeof PROCESS_SCRIPTS

export interface PlatformOptions extends StartOptions {
  /** Default: one of each. Two of a kind: `[{ kind: 'ingest' }, { kind: 'ingest', name: 'ingest-2' }]`. */
  processes?: ProcessOptions[]
  /** Starts again, with back-off, whatever ends by itself. Default false: a drill kills and restarts on its own. */
  keepAlive?: boolean
}

export interface ProcessOptions {
  kind: ProcessKind
  /** Default: the kind. */
  name?: string
  /** More EBB_* keys for this process alone. */
  environment?: Record<string, string>
}

export interface RunningPlatform extends RunningEngines {
  collectorUrl: string
  /** Base URLs of /metrics and /health by process name. */
  metricsUrls: Record<string, string>
  /** Resolves when it serves. @throws EbbError `start_failed`. */
  startProcess(options: ProcessOptions): Promise<void>
  /** An engine or one of our processes, by name. */
  kill(name: string, signal: NodeJS.Signals): void
  /** The same command, ports and data again. */
  restart(name: string): Promise<void>
}

/**
 * Engines, migrations, then our processes; all on one set of ports. When a part fails, all are stopped and its error
 * is thrown. @throws what startEngines throws, what migrations throw, EbbError `start_failed`.
 */
export async function startPlatform(options: PlatformOptions): Promise<RunningPlatform> {
  const home = resolve(options.home)
  const report = options.onProgress ?? (() => undefined)
  const startedAt = Date.now()
  const engines = await startEngines(options)
  const ports = reservePorts(options.ports)
  const children = new Map<string, SupervisedProcess>()
  const metricsUrls: Record<string, string> = {}
  let stopping = false
  let collectorUrl = ''

  const find = (name: string): SupervisedProcess => {
    const child = children.get(name) ?? engines.supervised.get(name as EngineName)
    if (!child) throw new EbbError('not_ours', `${name} was not started here`)
    return child
  }
  const record = async () => {
    const describe = (kind: 'engine' | 'process') => (entry: { name: string; pid: number }) => ({
      ...entry,
      kind,
      ...(metricsUrls[entry.name] && { metricsUrl: metricsUrls[entry.name] }),
    })
    const processes: PlatformRecord['processes'] = [
      ...engines.processes.map(describe('engine')),
      ...[...children].map(([name, child]) => ({ name, pid: child.pid })).map(describe('process')),
    ]
    const environment = engines.environment
    await writePlatform(home, { pid: process.pid, startedAt, collectorUrl, environment, processes })
  }
  const watch = (child: SupervisedProcess) => {
    if (options.keepAlive) keepAlive(child, { report, isStopping: () => stopping, onRestarted: record })
  }
  const stop = async () => {
    stopping = true
    for (const child of children.values()) await child.stop()
    await ports.release()
    await removePlatform(home)
    await engines.stop()
  }
  const startProcess = async (wanted: ProcessOptions) => {
    const started = await startOne(wanted, {
      home,
      engines,
      ports,
      given: options.environment ?? process.env,
    })
    children.set(started.child.name, started.child)
    metricsUrls[started.child.name] = started.metricsUrl
    if (started.collectorUrl) collectorUrl = started.collectorUrl
    watch(started.child)
    report(`${started.child.name}: ready`)
    await record()
  }

  try {
    for (const child of engines.supervised.values()) watch(child)
    await migrateAll(readConfig(engines.environment), report)
    const wanted =
      options.processes ?? Object.keys(PROCESS_SCRIPTS).map((kind) => ({ kind: kind as ProcessKind }))
    await Promise.all(wanted.map(startProcess))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    environment: engines.environment,
    supervised: engines.supervised,
    metricsUrls,
    get collectorUrl() {
      return collectorUrl
    },
    get processes() {
      const own = [...children].map(([name, child]) => ({ name, pid: child.pid }))
      return [...engines.processes, ...own]
    },
    startProcess,
    kill: (name, signal) => find(name).kill(signal),
    async restart(name) {
      await find(name).restart()
      await record()
    },
    stop,
  }
}

interface StartDeps {
  home: string
  engines: RunningEngines
  ports: PortReservations
  given: Record<string, string | undefined>
}

async function startOne(
  wanted: ProcessOptions,
  deps: StartDeps,
): Promise<{ child: SupervisedProcess; metricsUrl: string; collectorUrl?: string }> {
  const name = wanted.name ?? wanted.kind
  if ((ENGINE_NAMES as readonly string[]).includes(name)) {
    throw new EbbError('bad_name', `${name} is the name of an engine`)
  }
  // Ports are fixed here, not by the process: after a crash it must come back where its clients look for it.
  const metricsPort = await deps.ports.take(0)
  const environment: Record<string, string | undefined> = {
    ...deps.given,
    ...deps.engines.environment,
    EBB_METRICS_PORT: String(metricsPort),
    ...wanted.environment,
  }
  let collectorUrl: string | undefined
  if (wanted.kind === 'collector') {
    const preferred = Number(environment.EBB_COLLECTOR_PORT) || COLLECTOR_PORT
    const port = await deps.ports.take(preferred)
    environment.EBB_COLLECTOR_PORT = String(port)
    collectorUrl = `http://127.0.0.1:${port}`
  }
  const metricsUrl = `http://127.0.0.1:${metricsPort}`
  const child = await superviseProcess(deps.home, {
    name,
    command: process.execPath,
    args: ['--import', 'tsx', PROCESS_SCRIPTS[wanted.kind]],
    cwd: ROOT,
    environment,
    isReady: async () => (await fetch(`${metricsUrl}/health`)).ok,
    readyTimeoutMs: 60_000,
    stopTimeoutMs: 15_000,
  })
  return { child, metricsUrl, ...(collectorUrl && { collectorUrl }) }
}
