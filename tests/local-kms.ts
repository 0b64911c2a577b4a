import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { reservePorts } from '../services/reserve-port.ts'
import { findOnPath } from '../services/run-command.ts'

export interface LocalKms {
  endpoint: string
  stop(): Promise<void>
}

const START_LIMIT_MS = 60_000

/** moto (PyPI) as AWS KMS, where `moto_server` is on PATH; undefined elsewhere. */
export async function startLocalKms(): Promise<LocalKms | undefined> {
  const command = await findOnPath('moto_server', process.env)
  if (!command) return undefined
  const ports = reservePorts('free')
  const port = await ports.take(0)
  const child = spawn(command, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  const endpoint = `http://127.0.0.1:${port}`
  const stop = async () => {
    await end(child)
    await ports.release()
  }
  for (const start = performance.now(); performance.now() - start < START_LIMIT_MS; await sleep(100)) {
    if (child.exitCode !== null) break
    const answered = await fetch(`${endpoint}/moto-api/`).then(
      (answer) => answer.ok,
      () => false,
    )
    if (answered) return { endpoint, stop }
  }
  await stop()
  throw new Error('moto_server did not start')
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}
