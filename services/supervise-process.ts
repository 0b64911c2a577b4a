import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EbbError } from '../runtime/errors.ts'
import { signalGroup } from './process-table.ts'

/** A process is asked whether it is ready so often, and less often the longer it takes: the questions cost the CPU that it needs. */
const READY_POLL_MS = 50
const READY_POLL_SHARE = 0.05
const LONGEST_POLL_MS = 1_000
/** A slow machine is not a broken one; a process that has ended is told of at once. */
const READY_LIMIT_MS = 5 * 60_000
const PROGRESS_EVERY_MS = 15_000
const RESTART_TRIES = 20
const LOG_KEPT_BYTES = 20_000_000

export interface ProcessSpec {
  name: string
  command: string
  args: string[]
  environment: Record<string, string | undefined>
  cwd?: string
  user?: { uid: number; gid: number }
  /** Asked again and again until true. `output` is what the process wrote since this start. */
  isReady: (output: () => string) => Promise<boolean>
  /** Default: five minutes. */
  readyTimeoutMs?: number
  /** Hears every 15 s that it is not ready yet. */
  report?: (line: string) => void
  /** A process that has not ended this long after `stopSignal` is killed. */
  stopTimeoutMs: number
  stopSignal?: NodeJS.Signals
}

export interface SupervisedProcess {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  kill(signal: NodeJS.Signals): void
  /** Kills what is left of it and starts the same command again; resolves when it is ready. Who asks meanwhile waits for the same start. */
  restart(): Promise<void>
  stop(): Promise<void>
  /** Called when the process ends without `stop` or `restart` having been asked. */
  onUnexpectedExit(listener: (how: string) => void): void
  /** What it wrote to its log since it was last started. */
  output(): string
}

/**
 * Starts a process in a group of its own (so that Ctrl-C reaches only us, and we stop it in order), with its output
 * in `<home>/logs/<name>.log` and a pid file in `<home>/run` for the sweep. Resolves when it is ready.
 * @throws EbbError `start_failed` with the end of its log.
 */
export async function superviseProcess(home: string, spec: ProcessSpec): Promise<SupervisedProcess> {
  const logFile = join(home, 'logs', `${spec.name}.log`)
  const pidFile = join(home, 'run', `${spec.name}.pid`)
  mkdirSync(dirname(logFile), { recursive: true })
  mkdirSync(dirname(pidFile), { recursive: true })
  const listeners: ((how: string) => void)[] = []
  let current = launch(spec, logFile, pidFile)
  let wanted = true
  let stopped = false

  const watch = () => {
    const watched = current
    void watched.ended.then((how) => {
      if (wanted && watched === current) for (const listener of listeners) listener(how)
    })
  }
  const end = async (signal: NodeJS.Signals) => {
    wanted = false
    await endProcess(current, signal, spec.stopTimeoutMs)
  }

  await waitReady(current, spec, logFile).catch(async (error) => {
    await end('SIGKILL')
    rmSync(pidFile, { force: true })
    throw error
  })
  watch()

  const startAgain = async () => {
    await end('SIGKILL')
    // Already while it comes up it is the one that `kill` and `pid` mean.
    const onLaunched = (launched: Launched) => {
      current = launched
    }
    await relaunch({ spec, logFile, pidFile, onLaunched, isWanted: () => !stopped })
    // Asked to stop meanwhile: that has ended what came up.
    if (stopped) return
    wanted = true
    watch()
  }
  let restarting: Promise<void> | undefined

  return {
    name: spec.name,
    logFile,
    get pid() {
      return current.pid
    },
    kill(signal) {
      // Nothing came up: no process of ours has this id.
      if (current.pid > 0) signalGroup(current.pid, signal)
    },
    onUnexpectedExit: (listener) => listeners.push(listener),
    output: () => readFrom(logFile, current.logOffset),
    restart() {
      restarting ??= startAgain().finally(() => {
        restarting = undefined
      })
      return restarting
    },
    async stop() {
      stopped = true
      await end(spec.stopSignal ?? 'SIGTERM')
      await restarting?.catch(() => undefined)
      rmSync(pidFile, { force: true })
    },
  }
}

interface Launched {
  child: ChildProcess
  pid: number
  logOffset: number
  ended: Promise<string>
  hasEnded: () => boolean
}

function launch(spec: ProcessSpec, logFile: string, pidFile: string): Launched {
  setAsideLargeLog(logFile)
  const log = openSync(logFile, 'a', 0o600)
  const logOffset = statSync(logFile).size
  const child = spawn(spec.command, spec.args, {
    env: spec.environment,
    cwd: spec.cwd,
    detached: true,
    stdio: ['ignore', log, log],
    ...spec.user,
  })
  closeSync(log)
  let over = false
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      over = true
      resolve(error.message)
    })
    child.once('exit', (code, signal) => {
      over = true
      resolve(signal ?? `exit ${code}`)
    })
  })
  const pid = child.pid ?? -1
  if (pid > 0) {
    // The first words of the command line are what the sweep compares before it kills anything.
    const marker = [spec.command, ...spec.args].join(' ').slice(0, 200)
    writeFileSync(pidFile, JSON.stringify({ pid, name: spec.name, command: marker }))
  }
  return { child, pid, logOffset, ended, hasEnded: () => over }
}

// After a SIGKILL the engine's own children may hold its port or its data for a moment longer.
async function relaunch({
  spec,
  logFile,
  pidFile,
  onLaunched,
  isWanted,
}: {
  spec: ProcessSpec
  logFile: string
  pidFile: string
  onLaunched(launched: Launched): void
  isWanted(): boolean
}): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    if (!isWanted()) return
    const launched = launch(spec, logFile, pidFile)
    onLaunched(launched)
    try {
      await waitReady(launched, spec, logFile)
      return
    } catch (error) {
      const endedByItself = launched.hasEnded()
      await endProcess(launched, 'SIGKILL', 1_000)
      if (!endedByItself || attempt >= RESTART_TRIES) throw error
      await sleep(100 * Math.min(attempt, 10))
    }
  }
}

async function waitReady(launched: Launched, spec: ProcessSpec, logFile: string): Promise<void> {
  const startedAt = Date.now()
  const limitMs = spec.readyTimeoutMs ?? READY_LIMIT_MS
  let toldAt = startedAt
  const output = () => readFrom(logFile, launched.logOffset)
  while (Date.now() - startedAt < limitMs) {
    if (launched.hasEnded()) {
      const how = await launched.ended
      throw new EbbError(
        'start_failed',
        `${spec.name} ended at once (${how}); ${logFile}:\n${lastLines(output())}`,
      )
    }
    if (await spec.isReady(output).catch(() => false)) return
    const waitedMs = Date.now() - startedAt
    if (Date.now() - toldAt > PROGRESS_EVERY_MS) {
      toldAt = Date.now()
      spec.report?.(`not ready yet after ${Math.round(waitedMs / 1_000)} s; log: ${logFile}`)
    }
    await sleep(Math.min(Math.max(READY_POLL_MS, waitedMs * READY_POLL_SHARE), LONGEST_POLL_MS))
  }
  throw new EbbError(
    'start_failed',
    `${spec.name} was not ready within ${limitMs / 1_000} s; ${logFile}:\n${lastLines(output())}`,
  )
}

async function endProcess(launched: Launched, signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
  if (launched.pid < 0) return
  if (!launched.hasEnded()) {
    // A stopped process cannot handle SIGTERM: wake it first.
    signalGroup(launched.pid, 'SIGCONT')
    signalGroup(launched.pid, signal)
    const timer = setTimeout(() => signalGroup(launched.pid, 'SIGKILL'), timeoutMs)
    await launched.ended
    clearTimeout(timer)
  }
  // Whatever the leader left behind in its group.
  signalGroup(launched.pid, 'SIGKILL')
}

function readFrom(path: string, offset: number): string {
  const size = Math.max(0, statSync(path).size - offset)
  const text = Buffer.alloc(size)
  const file = openSync(path, 'r')
  try {
    return text.toString('utf8', 0, readSync(file, text, 0, size, offset))
  } finally {
    closeSync(file)
  }
}

// One old log is kept: the folder of a platform that runs for months stays small.
function setAsideLargeLog(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_KEPT_BYTES) renameSync(path, `${path}.old`)
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-15).join('\n').slice(-3_000)
}
