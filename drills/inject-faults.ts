import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningPlatform } from '../services/start-platform.ts'

/** A fault at a moment or a boundary: what is done to whom. */
export type Fault =
  | { kind: 'kill'; victim: string }
  /** Stopped for a while, then woken: a member that believes it still owns its partitions. */
  | { kind: 'pause'; victim: string; seconds: number }
  /**
   * Killed by itself when it passes a durability boundary for the n-th time. `inMidst`: it is given the fault while it runs, and
   * keeps what it is at; otherwise it starts with it, so that its recovery is struck, too.
   */
  | { kind: 'point'; victim: string; point: string; nth: number; inMidst?: boolean }
  /** Others are killed while a worker stands still at a boundary; then it goes on, if it is not among them. */
  | { kind: 'others-at-point'; victims: readonly string[]; worker: string; point: string }

/** Those of the crash drill. */
export type CrashFault = Exclude<Fault, { kind: 'others-at-point' }>

/** Every durability boundary with a fault point, and the processes that pass it. */
export const FAULT_POINTS: Record<string, string[]> = {
  'collector.after-subject-secret': ['collector'],
  'collector.before-produce': ['collector'],
  'collector.after-produce-before-answer': ['collector'],
  'ingest.before-declare': ['ingest', 'ingest-2'],
  'ingest.after-declare': ['ingest', 'ingest-2'],
  'ingest.before-insert': ['ingest', 'ingest-2'],
  'ingest.after-insert': ['ingest', 'ingest-2'],
  'ingest.after-seen': ['ingest', 'ingest-2'],
  'ingest.before-ack': ['ingest', 'ingest-2'],
  'ingest.after-ack': ['ingest', 'ingest-2'],
  'clickhouse.before-insert': ['clickhouse'],
  'clickhouse.after-insert-before-answer': ['clickhouse'],
}

const VICTIMS = ['collector', 'ingest', 'ingest-2', 'clickhouse', 'kafka', 'postgres']
/** Seconds at most: Kafka's pauses stay below the request time-outs of its clients, which then wait and do not start over. */
const PAUSABLE: Record<string, number> = {
  collector: 12,
  ingest: 12,
  'ingest-2': 12,
  clickhouse: 12,
  kafka: 8,
  postgres: 12,
}

/**
 * Draws the next fault: half at boundaries, a third random kills, the rest pauses of up to 12 s.
 * @param points only faults at these boundaries, to aim at one weakness.
 */
export function drawFault(random: () => number, points?: readonly string[]): CrashFault {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const dice = points ? 0 : random()
  if (dice < 0.5) {
    const point = pick(points ?? Object.keys(FAULT_POINTS))
    return { kind: 'point', point, victim: pick(FAULT_POINTS[point]!), nth: 1 + Math.floor(random() * 20) }
  }
  if (dice < 0.83) return { kind: 'kill', victim: pick(VICTIMS) }
  const victim = pick(Object.keys(PAUSABLE))
  return { kind: 'pause', victim, seconds: 1 + Math.floor(random() * PAUSABLE[victim]!) }
}

export interface FaultOptions {
  /** How long a boundary is waited for. */
  pointWaitMs?: number
  /** Called when the victim runs with its fault: now something may be sent its way. */
  onArmed?(): Promise<unknown>
}

/** Long enough to pass any boundary that the load of the crash drill reaches at all. */
const POINT_WAIT_MS = 12_000
/** A process answers a signal within this. One that does not may die of its fault later: the next fault for it then counts for nothing. */
const DISARM_MS = 1_000

/**
 * Does one fault and brings the victim back. @param faultFile the file that EBB_FAULT names, see runtime/fault.ts.
 * @returns true when it struck: a boundary may not be reached, as `after-subject-secret` without new people
 */
export async function injectFault(
  platform: RunningPlatform,
  faultFile: string,
  fault: Fault,
  { pointWaitMs = POINT_WAIT_MS, onArmed = async () => undefined }: FaultOptions = {},
): Promise<boolean> {
  if (fault.kind === 'kill') {
    platform.kill(fault.victim, 'SIGKILL')
    await platform.restart(fault.victim)
    return true
  }
  if (fault.kind === 'pause') {
    platform.kill(fault.victim, 'SIGSTOP')
    await sleep(fault.seconds * 1000)
    platform.kill(fault.victim, 'SIGCONT')
    return true
  }
  if (fault.kind === 'others-at-point')
    return await killAtPoint(platform, faultFile, fault, pointWaitMs, onArmed)
  writeFileSync(faultFile, `${fault.point}:${fault.nth}`)
  if (fault.inMidst) takeFault(platform, fault.victim)
  // It may strike before the process says that it is ready; the restart below brings it back either way.
  else await platform.restart(fault.victim).catch(() => undefined)
  await onArmed()
  const victim = pidOf(platform, fault.victim)
  let struck = await waitUntilGone(victim, pointWaitMs)
  // One that was dead before it could take its fault has met no boundary.
  const taken = !existsSync(faultFile)
  rmSync(faultFile, { force: true })
  if (fault.inMidst && !struck) {
    takeFault(platform, fault.victim)
    // It may strike between the last look and the signal.
    struck = await waitUntilGone(victim, DISARM_MS)
    if (!struck) return false
  }
  await platform.restart(fault.victim)
  return struck && taken
}

async function killAtPoint(
  platform: RunningPlatform,
  faultFile: string,
  { victims, worker, point }: Extract<Fault, { kind: 'others-at-point' }>,
  waitMs: number,
  onArmed: () => Promise<unknown>,
): Promise<boolean> {
  writeFileSync(faultFile, `${point}:1:stop`)
  takeFault(platform, worker)
  await onArmed()
  const pid = pidOf(platform, worker)
  const stands = await waitUntilStill(pid, waitMs)
  rmSync(faultFile, { force: true })
  if (!stands) {
    // It may stop later, with nobody to wake it.
    await platform.restart(worker)
    return false
  }
  for (const victim of victims) platform.kill(victim, 'SIGKILL')
  if (!victims.includes(worker)) process.kill(pid, 'SIGCONT')
  await Promise.all(victims.map((victim) => platform.restart(victim)))
  return true
}

/** The process reads the fault file again, see runtime/fault.ts. One that is gone already needs no fault. */
function takeFault(platform: RunningPlatform, name: string): void {
  try {
    process.kill(pidOf(platform, name), 'SIGUSR2')
  } catch {
    // Its death is what is looked for next.
  }
}

function pidOf(platform: RunningPlatform, name: string): number {
  return platform.processes.find((process) => process.name === name)!.pid
}

async function waitUntilGone(pid: number, waitMs: number): Promise<boolean> {
  for (const deadline = Date.now() + waitMs; Date.now() < deadline; await sleep(50)) {
    try {
      process.kill(pid, 0)
    } catch {
      return true
    }
  }
  return false
}

/** Whether the process stops itself in that time: state T of proc(5), behind the name in brackets. */
async function waitUntilStill(pid: number, waitMs: number): Promise<boolean> {
  for (const deadline = Date.now() + waitMs; Date.now() < deadline; await sleep(50)) {
    const stat = readStat(pid)
    if (/\) T /.test(stat)) return true
    if (stat === '') return false
  }
  return false
}

/** '' of a process that is gone. */
function readStat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return ''
  }
}
