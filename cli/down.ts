import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { readConfig } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { readPlatform } from '../services/platform-file.ts'
import { isAlive } from '../services/process-table.ts'
import { sweepStale } from '../services/sweep-stale.ts'

const PATIENCE_MS = 60_000

/** `ebb down`: asks the `ebb up` of this home to stop, and waits until it has. */
export function define(command: Command): void {
  command.action(down)
}

async function down(): Promise<void> {
  const { home } = readConfig()
  const platform = await readPlatform(home)
  if (platform) {
    process.kill(platform.pid, 'SIGTERM')
    const deadline = Date.now() + PATIENCE_MS
    while (isAlive(platform.pid)) {
      if (Date.now() > deadline)
        throw new EbbError('not_stopped', `pid ${platform.pid} has not stopped within 60 s`)
      await sleep(100)
    }
    console.log('stopped')
    return
  }
  const swept = await sweepStale(home)
  console.log(swept.length > 0 ? `ended what was left over: ${swept.join(', ')}` : `nothing runs in ${home}`)
}
