import { spawn } from 'node:child_process'
import { builtScript, PROJECT_ROOT } from '../runtime/project-root.ts'

const SWEEP = builtScript('services/sweep-home.ts')

/**
 * Engines run in process groups of their own, so nothing ends them when we are killed without a chance to stop them.
 * A waiting shell holds the other end of a pipe of ours: when we die, however, it reads end-of-file and sweeps.
 * @returns a function that lets the guard go without sweeping.
 */
export function guardChildren(home: string): () => void {
  const guard = spawn(
    '/bin/sh',
    ['-c', 'read -r word; [ "$word" = done ] && exit; exec "$0" "$@"', process.execPath, SWEEP, home],
    { cwd: PROJECT_ROOT, detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  )
  guard.unref()
  const pipe = guard.stdin
  // An open pipe must not keep a process alive that has nothing else to do.
  ;(pipe as unknown as { unref(): void }).unref()
  pipe.on('error', () => undefined)
  return () => pipe.end('done\n')
}
