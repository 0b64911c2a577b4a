import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { processArguments } from '../services/start-platform.ts'

export interface RunningCollector {
  /** `http://127.0.0.1:<port>` */
  url: string
  metricsUrl: string
  process: ChildProcess
  /** All that it wrote to stdout and stderr, line by line. */
  log: string[]
  /** Has it ended? */
  ended(): boolean
  /** SIGTERM, then waits; @returns the exit code, null after a signal. */
  stop(): Promise<number | null>
}

/** Starts `collector/main.ts` as users do, a process of its own, and waits until it serves. */
export async function startCollector(environment: Record<string, string>): Promise<RunningCollector> {
  const child = spawn(process.execPath, processArguments('collector'), {
    env: { ...process.env, ...environment, EBB_LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log: string[] = []
  createInterface({ input: child.stderr! }).on('line', (line) => log.push(line))
  const ready = await new Promise<{ url: string; metricsUrl: string }>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      log.push(line)
      if (line.includes('"msg":"ready"')) resolve(JSON.parse(line))
    })
    child.once('exit', (code) =>
      reject(new Error(`collector ended with ${code}: ${log.slice(-5).join('\n')}`)),
    )
  })
  return {
    url: ready.url,
    metricsUrl: ready.metricsUrl,
    process: child,
    log,
    ended: () => child.exitCode !== null || child.signalCode !== null,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        await once(child, 'exit')
      }
      return child.exitCode
    },
  }
}
