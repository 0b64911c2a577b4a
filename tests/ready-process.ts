import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { builtScript } from '../runtime/project-root.ts'

export interface ReadyProcess {
  pid: number
  /** What it wrote, line by line. */
  log: string[]
  kill(signal: NodeJS.Signals): void
  /** SIGTERM, then waits. */
  stop(): Promise<void>
}

/** Starts one of our processes by its script and waits until it says `ready`. */
export async function startReady(script: string, environment: Record<string, string>): Promise<ReadyProcess> {
  const child = spawn(process.execPath, [builtScript(script)], {
    env: { ...process.env, ...environment, EBB_LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log: string[] = []
  createInterface({ input: child.stderr! }).on('line', (line) => log.push(line))
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      log.push(line)
      if (process.env.EBB_TEST_VERBOSE) console.log(line)
      if (line.includes('"msg":"ready"')) resolve()
    })
    child.once('exit', (code) =>
      reject(new Error(`${script} ended with ${code}: ${log.slice(-5).join('\n')}`)),
    )
  })
  return {
    pid: child.pid!,
    log,
    kill: (signal) => void child.kill(signal),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}
