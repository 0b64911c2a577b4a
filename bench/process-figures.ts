import { readFileSync } from 'node:fs'

/** CPU seconds spent so far (user and system) and the highest resident size so far, from /proc (Linux). */
export interface ProcessFigures {
  cpuS: number
  peakRssBytes: number
}

/** Clock ticks a second of /proc/<pid>/stat; fixed at 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100

/** @returns undefined when the process is gone. */
export function readProcessFigures(pid: number): ProcessFigures | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command name is in parentheses and may hold spaces: count fields after it. utime and stime are 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const cpuS = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const peakKib = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0)
    return { cpuS, peakRssBytes: peakKib * 1024 }
  } catch {
    return undefined
  }
}

/** CPU seconds per process over an interval: call at its start, and what it returns at its end. */
export function startCpuClock(processes: { name: string; pid: number }[]): () => Record<string, number> {
  const before = new Map(processes.map(({ pid }) => [pid, readProcessFigures(pid)?.cpuS ?? 0]))
  return () =>
    Object.fromEntries(
      processes.map(({ name, pid }) => [name, (readProcessFigures(pid)?.cpuS ?? 0) - (before.get(pid) ?? 0)]),
    )
}
