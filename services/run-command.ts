import { spawn } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { EbbError } from '../runtime/errors.ts'

const PROGRESS_EVERY_MS = 10_000
const KEPT_OUTPUT = 4_000

/** Looks a program up on PATH; null when it is not there. */
export async function findOnPath(
  program: string,
  environment: Record<string, string | undefined>,
): Promise<string | null> {
  for (const folder of (environment.PATH ?? '').split(delimiter)) {
    if (folder === '') continue
    const candidate = join(folder, program)
    const runnable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (runnable) return candidate
  }
  return null
}

/**
 * Runs a command to its end, reporting the time that has passed every ten seconds.
 * @returns what it wrote to stdout.
 * @throws EbbError `command_failed` with the end of its output.
 */
export async function runCommand(
  command: string,
  args: string[],
  options: {
    environment: Record<string, string | undefined>
    cwd?: string
    /** What is being done, for the progress lines: `building temporal 1.5.1 with Go`. */
    task: string
    report: (line: string) => void
    /** Ends the command when another part of the start has failed. */
    signal?: AbortSignal
    user?: { uid: number; gid: number }
  },
): Promise<string> {
  const startedAt = Date.now()
  const timer = setInterval(() => {
    options.report(`${options.task}: ${Math.round((Date.now() - startedAt) / 1_000)} s`)
  }, PROGRESS_EVERY_MS)
  try {
    const child = spawn(command, args, {
      env: options.environment,
      cwd: options.cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.signal && { signal: options.signal }),
      ...options.user,
    })
    // When we are told to end in the middle of a build, the build ends too.
    const endChild = () => child.kill()
    process.once('exit', endChild)
    child.once('close', () => process.off('exit', endChild))
    let stdout = ''
    let tail = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      tail = (tail + text).slice(-KEPT_OUTPUT)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-KEPT_OUTPUT)
    })
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', (error) => {
        reject(new EbbError('command_failed', `${options.task}: ${error.message}`, { cause: error }))
      })
      child.once('close', resolve)
    })
    if (code !== 0)
      throw new EbbError('command_failed', `${options.task} failed (exit ${code}):\n${tail.trim()}`)
    return stdout
  } finally {
    clearInterval(timer)
  }
}
