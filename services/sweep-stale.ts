import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandLineOf, isAlive, signalGroup } from './process-table.ts'

const PATIENCE_MS = 8_000

/**
 * Ends what an earlier start of this home left running when it was killed. A pid file alone proves nothing (pids are
 * used again): a process is signalled only when its command line is the recorded one.
 * @returns the names of what was ended.
 */
export async function sweepStale(home: string): Promise<string[]> {
  const folder = join(home, 'run')
  const files = await readdir(folder).catch(() => [])
  const ended = await Promise.all(
    files.filter((file) => file.endsWith('.pid')).map((file) => endRecorded(join(folder, file))),
  )
  return ended.filter((name) => name !== null)
}

async function endRecorded(pidFile: string): Promise<string | null> {
  const record = await readFile(pidFile, 'utf8')
    .then((text) => JSON.parse(text) as { pid: number; name: string; command: string })
    .catch(() => null)
  if (record && isAlive(record.pid) && (await commandLineOf(record.pid)).startsWith(record.command)) {
    signalGroup(record.pid, 'SIGCONT')
    signalGroup(record.pid, 'SIGTERM')
    const deadline = Date.now() + PATIENCE_MS
    while (isAlive(record.pid) && Date.now() < deadline) await sleep(50)
    signalGroup(record.pid, 'SIGKILL')
    await rm(pidFile, { force: true })
    return record.name
  }
  await rm(pidFile, { force: true })
  return null
}
