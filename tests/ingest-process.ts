import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { builtScript } from '../runtime/project-root.ts'
import type { Stage } from './stage.ts'

export interface IngestProcess {
  pid: number
  metricsUrl: string
  /** Log lines so far, parsed. */
  lines: Record<string, unknown>[]
  kill(signal: NodeJS.Signals): void
  /** How it ended: exit code, or the signal's name. */
  ended: Promise<number | NodeJS.Signals>
  stop(): Promise<void>
}

/**
 * Starts `workers/ingest/main.ts` on a stage, as the platform does.
 * @param until resolves at this log message, or when the process ends
 */
export async function startIngest(
  stage: Stage,
  environment: Record<string, string> = {},
  until = 'ready',
): Promise<IngestProcess> {
  const child = spawn(process.execPath, [builtScript('workers/ingest/main.ts')], {
    env: { ...process.env, ...stage.environment, EBB_LOG_LEVEL: 'info', ...environment },
    stdio: ['ignore', 'pipe', process.env.EBB_TEST_VERBOSE ? 'inherit' : 'ignore'],
  })
  const lines: Record<string, unknown>[] = []
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'))
  })
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (process.env.EBB_TEST_VERBOSE) console.error(line)
      if (!line.startsWith('{')) return
      const entry = JSON.parse(line) as Record<string, unknown>
      lines.push(entry)
      if (entry.msg === until) resolve()
    })
  })
  await Promise.race([ready, ended])
  return {
    pid: child.pid!,
    metricsUrl: String(lines.find((line) => line.msg === 'ready')?.metricsUrl ?? ''),
    lines,
    kill: (signal) => child.kill(signal),
    ended,
    stop: () => stop(child, ended),
  }
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGCONT')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
  await ended
  clearTimeout(timer)
}
