import { resolve } from 'node:path'
import { readConfig } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import type { EngineName } from './engine.ts'
import { keepAlive } from './keep-alive.ts'
import { migrateAll } from './migrate-all.ts'
import {
  createOwnProcesses,
  type OwnProcesses,
  PROCESS_SCRIPTS,
  type ProcessKind,
  type ProcessOptions,
} from './own-processes.ts'
import { createPlatformWriter, type PlatformRecord } from './platform-file.ts'
import { reservePorts } from './reserve-port.ts'
import { type RunningEngines, type StartOptions, startEngines } from './start-engines.ts'
import type { SupervisedProcess } from './supervise-process.ts'

export { PROCESS_SCRIPTS, type ProcessKind, type ProcessOptions, processArguments } from './own-processes.ts'

export interface PlatformOptions extends StartOptions {
  /** Default: one of each. Two of a kind: `[{ kind: 'ingest' }, { kind: 'ingest', name: 'ingest-2' }]`. */
  processes?: ProcessOptions[]
  /** Starts again, with back-off, whatever ends by itself. Default false: a drill kills and restarts on its own. */
  keepAlive?: boolean
}

export interface RunningPlatform extends RunningEngines {
  collectorUrl: string
  gatewayUrl: string
  /** Base URLs of /metrics and /health by process name. */
  metricsUrls: Record<string, string>
  /** Resolves when it serves. @throws EbbError `start_failed`. */
  startProcess(options: ProcessOptions): Promise<void>
  /** An engine or one of our processes, by name. */
  kill(name: string, signal: NodeJS.Signals): void
  /** The same command, ports and data again. */
  restart(name: string): Promise<void>
}

const ONE_OF_EACH = Object.keys(PROCESS_SCRIPTS).map((kind) => ({ kind: kind as ProcessKind }))

/**
 * Engines, migrations, then our processes; all on one set of ports. When a part fails, all are stopped and its error
 * is thrown. @throws what startEngines throws, what migrations throw, EbbError `start_failed`.
 */
export async function startPlatform(options: PlatformOptions): Promise<RunningPlatform> {
  const report = options.onProgress ?? (() => undefined)
  const home = resolve(options.home)
  const engines = await startEngines(options)
  const own = createOwnProcesses({
    home,
    environment: { ...(options.environment ?? process.env), ...engines.environment },
    ports: reservePorts(options.ports),
    report,
  })
  const metricsUrls: Record<string, string> = {}
  let collectorUrl = ''
  let gatewayUrl = ''
  let stopping = false
  const writer = createPlatformWriter(home)
  const record = () => writer.write(() => describeParts(engines, own, { collectorUrl, gatewayUrl }))
  const watch = (child: SupervisedProcess) => {
    if (options.keepAlive) keepAlive(child, { report, isStopping: () => stopping, onRestarted: record })
  }
  const find = (name: string): SupervisedProcess => {
    const child = own.find(name) ?? engines.supervised.get(name as EngineName)
    if (!child) throw new EbbError('not_ours', `${name} was not started here`)
    return child
  }
  const startProcess = async (wanted: ProcessOptions) => {
    const started = await own.start(wanted)
    metricsUrls[started.child.name] = started.metricsUrl
    if (started.kind === 'collector') collectorUrl = started.url ?? collectorUrl
    if (started.kind === 'gateway') gatewayUrl = started.url ?? gatewayUrl
    watch(started.child)
    report(`${started.child.name}: ready`)
    await record()
  }
  const stop = async () => {
    stopping = true
    await own.stop()
    await writer.remove()
    await engines.stop()
  }

  try {
    for (const child of engines.supervised.values()) watch(child)
    await migrateAll(readConfig(engines.environment), report)
    await startAll((options.processes ?? ONE_OF_EACH).map(startProcess))
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
    get gatewayUrl() {
      return gatewayUrl
    },
    get processes() {
      return [...engines.processes, ...own.list().map(({ name, pid }) => ({ name, pid }))]
    },
    startProcess,
    kill: (name, signal) => find(name).kill(signal),
    restart: (name) => find(name).restart().then(record),
    stop,
  }
}

/** All are waited for, also when one fails: nothing may come up after the stop. @throws the first one's error */
async function startAll(starts: Promise<void>[]): Promise<void> {
  const settled = await Promise.allSettled(starts)
  const failure = settled.find((start) => start.status === 'rejected')
  if (failure) throw failure.reason
}

/** What the platform's record says of its parts. */
function describeParts(
  engines: RunningEngines,
  own: OwnProcesses,
  urls: { collectorUrl: string; gatewayUrl: string },
): Omit<PlatformRecord, 'pid' | 'startedAt'> {
  return {
    ...urls,
    environment: engines.environment,
    processes: [
      ...engines.processes.map((part) => ({ ...part, kind: 'engine' as const })),
      ...own.list().map((part) => ({ ...part, kind: 'process' as const })),
    ],
  }
}
