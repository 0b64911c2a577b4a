import { randomUUID } from 'node:crypto'
import { link, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { EbbError } from '../runtime/errors.ts'

const Holder = z.object({ pid: z.number().int(), host: z.string(), free: z.boolean() })

/** Work under the lock takes milliseconds. A holder older than this is dead, or so late that it gives up by itself. */
const HOLD_LIMIT_MS = 30_000
const COMMIT_LIMIT_MS = HOLD_LIMIT_MS / 2
const WAIT_LIMIT_MS = 60_000
const POLL_MS = 10

/** Throws when the lock has been held for so long that others may take it for dead: call it just before the commit. */
export type RequireHeld = () => void

/**
 * Runs `work` while no other process does so for the same path. A lock is a file with a number one higher than any before
 * it, and the highest number counts: two processes that both find the last holder dead cannot both follow it, since only
 * one makes the next number, and one that comes late with a lower number sees the higher one. The highest stays, marked as
 * free, so that no number is ever given twice.
 * @throws EbbError `key_file_busy` after a minute of waiting, or when `work` took too long
 */
export async function withFileLock<T>(
  path: string,
  work: (requireHeld: RequireHeld) => Promise<T>,
): Promise<T> {
  const own = await acquire(path)
  const since = performance.now()
  try {
    return await work(() => {
      if (performance.now() - since < COMMIT_LIMIT_MS) return
      throw new EbbError('key_file_busy', `${path}: the lock was held for too long to be sure of it`)
    })
  } finally {
    await writeLock(path, true, (draft) => rename(draft, own))
  }
}

async function acquire(path: string): Promise<string> {
  for (const start = performance.now(); performance.now() - start < WAIT_LIMIT_MS; ) {
    const top = Math.max(0, ...(await lockNumbers(path)))
    if (top > 0 && !(await isFree(lockName(path, top)))) {
      await sleep(POLL_MS * (1 + Math.random()))
      continue
    }
    const own = lockName(path, top + 1)
    if (!(await linked(path, own))) continue
    const numbers = await lockNumbers(path)
    if (Math.max(...numbers) === top + 1) {
      await removeAll(numbers.filter((number) => number <= top).map((number) => lockName(path, number)))
      return own
    }
    await rm(own, { force: true })
  }
  throw new EbbError('key_file_busy', `${path} stays locked`)
}

/** Free, or its holder is gone. A number that has vanished meanwhile was not the highest any more: look again. */
async function isFree(lock: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(lock)
    const holder = Holder.safeParse(JSON.parse(await readFile(lock, 'utf8')))
    if (!holder.success || Date.now() - mtimeMs > HOLD_LIMIT_MS) return true
    return holder.data.free || (holder.data.host === hostname() && !isAlive(holder.data.pid))
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function linked(path: string, own: string): Promise<boolean> {
  return writeLock(path, false, (draft) => link(draft, own)).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false
      throw error
    },
  )
}

/** A lock appears under its name with its whole content or not at all. */
async function writeLock(
  path: string,
  free: boolean,
  place: (draft: string) => Promise<void>,
): Promise<void> {
  const draft = `${path}.draft-${randomUUID()}`
  await writeFile(draft, JSON.stringify({ pid: process.pid, host: hostname(), free }), { mode: 0o600 })
  try {
    await place(draft)
  } finally {
    await rm(draft, { force: true })
  }
}

function lockName(path: string, number: number): string {
  return `${path}.lock-${number}`
}

async function lockNumbers(path: string): Promise<number[]> {
  const prefix = `${basename(path)}.lock-`
  const names = await readdir(dirname(path))
  return names.filter((name) => name.startsWith(prefix)).map((name) => Number(name.slice(prefix.length)))
}

async function removeAll(paths: string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true })
}

/** Files beside `path` with this in their names, as full paths. */
export async function filesBeside(path: string, infix: string): Promise<string[]> {
  const prefix = `${basename(path)}${infix}`
  const names = await readdir(dirname(path))
  return names.filter((name) => name.startsWith(prefix)).map((name) => join(dirname(path), name))
}
