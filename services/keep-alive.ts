import { setTimeout as sleep } from 'node:timers/promises'
import type { SupervisedProcess } from './supervise-process.ts'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
const CALM_AFTER_MS = 60_000

/**
 * Starts a process again whenever it ends by itself, and says so. The pause doubles with each crash and starts
 * over once the process has run for a minute: a broken configuration must not burn a core.
 */
export function keepAlive(
  child: SupervisedProcess,
  options: { report: (line: string) => void; isStopping: () => boolean; onRestarted: () => Promise<void> },
): void {
  let pauseMs = FIRST_PAUSE_MS
  let upSince = Date.now()

  const revive = async (how: string) => {
    if (Date.now() - upSince > CALM_AFTER_MS) pauseMs = FIRST_PAUSE_MS
    let reason = `ended unexpectedly (${how})`
    while (!options.isStopping()) {
      options.report(
        `${child.name}: ${reason}, starting it again in ${pauseMs / 1_000} s; log: ${child.logFile}`,
      )
      await sleep(pauseMs)
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
      if (options.isStopping()) return
      try {
        await child.restart()
        if (options.isStopping()) return
        upSince = Date.now()
        options.report(`${child.name}: ready again`)
        await options.onRestarted()
        return
      } catch (error) {
        reason = `did not start (${(error as Error).message.split('\n')[0]})`
      }
    }
  }
  child.onUnexpectedExit((how) => {
    revive(how).catch((error: Error) => options.report(`${child.name}: ${error.message}`))
  })
}
