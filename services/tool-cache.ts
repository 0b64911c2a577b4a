import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from './process-table.ts'

const LOCK_POLL_MS = 500
const PROGRESS_EVERY_MS = 10_000

/** Where fetched tools live, per user: `${XDG_CACHE_HOME:-~/.cache}/ebb`. */
export function cacheHome(environment: Record<string, string | undefined>): string {
  return join(environment.XDG_CACHE_HOME || join(environment.HOME || homedir(), '.cache'), 'ebb')
}

/**
 * The folder of one tool, filled by `fetch` when it is not there yet.
 * `fetch` writes into a temporary folder that is renamed when complete: a folder that exists is whole, whatever was
 * killed on the way. Two processes that want the same tool do the work once; the second waits for the first.
 */
export async function ensureTool(
  name: string,
  options: { cache: string; report: (line: string) => void; fetch: (folder: string) => Promise<void> },
): Promise<string> {
  const folder = join(options.cache, name)
  if (await exists(folder)) return folder
  await mkdir(options.cache, { recursive: true })
  const unlock = await lock(`${folder}.lock`, () =>
    options.report('waiting for another process that fetches it'),
  )
  try {
    if (await exists(folder)) return folder
    const unfinished = await mkdtemp(`${folder}.part-`)
    try {
      await options.fetch(unfinished)
      // mkdtemp makes it private; what is cached is public software, and Postgres runs as another user.
      await chmod(unfinished, 0o755)
      await rename(unfinished, folder)
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true })
      throw error
    }
    return folder
  } finally {
    await unlock()
  }
}

/**
 * Takes a lock file that names its holder's pid; the lock of a dead holder is taken over.
 * Waits as long as the holder lives: a build takes minutes and its own progress is on the holder's screen.
 */
export async function lock(path: string, onWait: () => void): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true })
  let reportAt = 0
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' })
      return () => rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (await isAbandoned(path)) {
      await rm(path, { force: true })
      continue
    }
    if (Date.now() >= reportAt) {
      reportAt = Date.now() + PROGRESS_EVERY_MS
      onWait()
    }
    await sleep(LOCK_POLL_MS)
  }
}

/**
 * Maven takes its home from the user database, not from HOME: with another HOME (a container, a test of a fresh
 * machine) its repository would land in a home that is not ours to write.
 */
export function mavenRepositoryArguments(environment: Record<string, string | undefined>): string[] {
  const home = environment.HOME
  if (!home || home === userInfo().homedir) return []
  return [`-Dmaven.repo.local=${join(home, '.m2', 'repository')}`]
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function isAbandoned(path: string): Promise<boolean> {
  const holder = await readFile(path, 'utf8').catch(() => '')
  if (holder !== '') return !isAlive(Number(holder))
  // Empty: the holder is between creating and writing it, or died just there.
  const age = await stat(path).then(
    (info) => Date.now() - info.mtimeMs,
    () => 0,
  )
  return age > 5_000
}
