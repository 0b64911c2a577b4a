import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * True when a process with this pid runs. One that has ended but was never reaped (its new parent, pid 1 of a container,
 * may not care) counts as ended where the kernel tells.
 */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return !isZombie(pid)
}

function isZombie(pid: number): boolean {
  try {
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in brackets, may hold spaces and brackets itself: the state comes after the last one.
    return state.slice(state.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}

/** The command line of a process, words joined by spaces; '' when there is no such process. */
export async function commandLineOf(pid: number): Promise<string> {
  // Small Linux images have no `ps`; other systems have no /proc.
  const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  if (words !== '') return words.replaceAll('\0', ' ').trim()
  return run('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).then(
    (result) => result.stdout.trim(),
    () => '',
  )
}

/** Signals a whole process group; one that is gone already is no error. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
