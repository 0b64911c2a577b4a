import { mkdir, readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { EbbError } from '../runtime/errors.ts'
import { withoutVerifierCredentials } from '../runtime/verifier-credentials.ts'
import { claimHome } from './claim-home.ts'
import { startClickHouse } from './clickhouse.ts'
import { ENGINE_NAMES, type EngineContext, type EngineName, type StartedEngine } from './engine.ts'
import { guardChildren } from './guard-children.ts'
import { startKafka } from './kafka.ts'
import { startPostgres } from './postgres.ts'
import { reservePorts } from './reserve-port.ts'
import { startS3 } from './s3.ts'
import type { SupervisedProcess } from './supervise-process.ts'
import { sweepStale } from './sweep-stale.ts'
import { startTemporal } from './temporal.ts'

export type { EngineName } from './engine.ts'

export interface StartOptions {
  /** Data, logs and pid files of all engines. */
  home: string
  /** Default: all. */
  only?: EngineName[]
  /** `preferred`: each engine's usual port when it is free; `free`: never the usual ones. */
  ports: 'preferred' | 'free'
  onProgress?(line: string): void
  /** Deletes what earlier starts left in the home, once nobody else uses it. Default false. */
  fresh?: boolean
  /** For tests, drills and the demo, which last minutes: engines start with less CPU and reach less throughput. Default false. */
  brief?: boolean
  /** Default: the environment of this process. An EBB_* URL in it means: nothing is started for that engine. */
  environment?: Record<string, string | undefined>
}

export interface RunningEngines {
  /** EBB_* keys for readConfig, those of `options.environment` included. */
  environment: Record<string, string>
  processes: { name: string; pid: number }[]
  /** @throws EbbError `not_ours` for an engine that was given by URL. */
  kill(name: EngineName, signal: NodeJS.Signals): void
  /** Starts an engine again on the same ports and data; ends it first if it runs. */
  restart(name: EngineName): Promise<void>
  stop(): Promise<void>
  /** The supervised processes by engine, for those who watch them. */
  supervised: Map<EngineName, SupervisedProcess>
}

const STARTERS: Record<EngineName, (context: EngineContext) => Promise<StartedEngine>> = {
  kafka: startKafka,
  clickhouse: startClickHouse,
  postgres: startPostgres,
  temporal: startTemporal,
  s3: startS3,
}

/**
 * Starts every engine that has no URL in the environment, side by side, fetching what is missing into the user's cache.
 * When one fails, all are stopped again and its error is thrown.
 * @throws EbbError `missing_tool`, `command_failed`, `start_failed`, `engine_unreachable`, `home_in_use`, `no_free_port`,
 * `no_passable_folder`, `version_mismatch`.
 */
export async function startEngines(options: StartOptions): Promise<RunningEngines> {
  const home = resolve(options.home)
  const given = options.environment ?? process.env
  const report = options.onProgress ?? (() => undefined)
  await mkdir(join(home, 'logs'), { recursive: true })
  const releaseHome = await claimHome(home)
  for (const name of await sweepStale(home)) report(`${name}: ended, it was left over from an earlier start`)
  if (options.fresh) await emptyHome(home)
  const ports = reservePorts(options.ports)
  const releaseGuard = guardChildren(home)
  const supervised = new Map<EngineName, SupervisedProcess>()
  const environment: Record<string, string> = { ...ebbKeys(given), EBB_HOME: home }

  const stop = async () => {
    await Promise.all([...supervised.values()].map((child) => child.stop()))
    releaseGuard()
    await ports.release()
    await releaseHome()
  }
  const abort = new AbortController()
  const startOne = async (name: EngineName) => {
    const startedAt = Date.now()
    const started = await STARTERS[name]({
      home,
      environment: withoutVerifierCredentials(given),
      ...(options.fresh && { fresh: true }),
      ...(options.brief && { brief: true }),
      ports,
      report: (line) => report(`${name}: ${line}`),
      signal: abort.signal,
    })
    Object.assign(environment, started.environment)
    if (started.process) supervised.set(name, started.process)
    const how = started.process
      ? `ready after ${((Date.now() - startedAt) / 1_000).toFixed(1)} s`
      : 'given by URL'
    report(`${name}: ${how}`)
  }

  const starts = (options.only ?? [...ENGINE_NAMES]).map(startOne)
  try {
    await Promise.all(starts)
  } catch (error) {
    abort.abort()
    // What was starting side by side is waited for, so that nothing comes up after the stop.
    await Promise.allSettled(starts)
    await stop()
    throw error
  }

  const require = (name: EngineName): SupervisedProcess => {
    const child = supervised.get(name)
    if (!child) throw new EbbError('not_ours', `${name} was not started here`)
    return child
  }
  return {
    environment,
    supervised,
    get processes() {
      return [...supervised].map(([name, child]) => ({ name, pid: child.pid }))
    },
    kill: (name, signal) => require(name).kill(signal),
    restart: (name) => require(name).restart(),
    stop,
  }
}

/** All but `run`, where our claim is. */
async function emptyHome(home: string): Promise<void> {
  const entries = (await readdir(home)).filter((entry) => entry !== 'run')
  await Promise.all(entries.map((entry) => rm(join(home, entry), { recursive: true, force: true })))
  await mkdir(join(home, 'logs'))
}

function ebbKeys(environment: Record<string, string | undefined>): Record<string, string> {
  const pairs = Object.entries(environment).filter(
    ([key, value]) => key.startsWith('EBB_') && value !== undefined,
  )
  return Object.fromEntries(pairs) as Record<string, string>
}
