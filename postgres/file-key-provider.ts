import { randomBytes } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EbbError } from '../runtime/errors.ts'
import { withFileLock } from './file-lock.ts'
import { type ReadKeyFile, readKeyFile, replaceKeyFile, sweepKeyFiles } from './key-file.ts'
import type { KeyProvider, KeyReader } from './key-provider.ts'
import { seal, unseal } from './seal.ts'

/** What a change does to the keys; false says that there was nothing to do. */
type Change = (keys: Map<string, Buffer>) => boolean

/**
 * Wrapping keys in a file of mode 0600, made at the first start and shared by the processes of one machine: it is read
 * again when it has changed, and changed under a lock. A destroyed key's bytes are overwritten.
 * @throws EbbError `key_file_exposed` (others may read it), `key_file_unreadable`, `key_file_invalid`, `key_file_busy`
 */
export async function createFileKeyProvider(path: string): Promise<KeyProvider> {
  const file = await followKeyFile(path)
  const change = createChanger(path)
  if (!file.isCurrent()) await change(() => !file.isCurrent())
  return {
    ...readerOf(file),
    createKey: (name) => change((all) => !all.has(name) && Boolean(all.set(name, randomBytes(32)))),
    async wrap(name, key, context) {
      return seal(await file.find(name), key, Buffer.from(context))
    },
    async destroyKey(name) {
      await change((all) => all.delete(name))
      return { goneByMs: Date.now() }
    },
  }
}

/**
 * Only reads that file, and takes no lock: the right to read it is enough. One that nobody has made yet is `key_file_unreadable`
 * when a key is asked for. @throws EbbError `key_file_exposed`, `key_file_unreadable`, `key_file_invalid`
 */
export async function createFileKeyReader(path: string): Promise<KeyReader> {
  return readerOf(await followKeyFile(path))
}

interface FollowedFile {
  /** false: there was none, or one of an older version, when it was last read. */
  isCurrent(): boolean
  keys(): Promise<Map<string, Buffer>>
  /** @throws EbbError `key_missing` */
  find(name: string): Promise<Buffer>
}

async function followKeyFile(path: string): Promise<FollowedFile> {
  // In this order: what replaces the file in between is read again.
  let seen = await stamp(path)
  let read = await load(path)
  const keys = async (): Promise<Map<string, Buffer>> => {
    const now = await stamp(path)
    if (now !== seen) {
      read = await load(path)
      seen = now
    }
    if (!read) throw new EbbError('key_file_unreadable', `${path} is not there`)
    return read.keys
  }
  return {
    isCurrent: () => read?.current === true,
    keys,
    async find(name) {
      const key = (await keys()).get(name)
      if (!key) throw new EbbError('key_missing', `${path} holds no key ${name}`)
      return key
    },
  }
}

function readerOf(file: FollowedFile): KeyReader {
  return {
    async unwrap(name, wrapped, context) {
      const key = await file.find(name)
      try {
        return unseal(key, wrapped, Buffer.from(context))
      } catch (cause) {
        throw new EbbError('key_unwrap_failed', `${context} does not unwrap`, { cause })
      }
    },
    async listKeys() {
      return [...(await file.keys()).keys()].map((name) => ({ name, goneByMs: null }))
    },
  }
}

/** Identity of the file's present content. */
async function stamp(path: string): Promise<string> {
  const info = await stat(path, { bigint: true }).catch(() => undefined)
  return info ? `${info.ino}/${info.mtimeNs}/${info.size}/${info.mode}` : ''
}

const READ_TRIES = 5

/** A file that is replaced while it is read is overwritten under the reader's eyes: then it is opened again. */
async function load(path: string): Promise<ReadKeyFile | undefined> {
  for (let tries = 1; ; tries++) {
    try {
      return await readKeyFile(path)
    } catch (error) {
      const { code } = error as EbbError
      if (tries === READ_TRIES || code === 'key_file_exposed') throw error
      await sleep(10)
    }
  }
}

/**
 * Changes that are asked for while one is being written go into the next write together: making a new keyring's 65 keys
 * costs one or two rewrites of the file.
 */
function createChanger(path: string): (change: Change) => Promise<void> {
  let waiting: Change[] = []
  let next: Promise<void> | undefined
  let last: Promise<unknown> = Promise.resolve()
  const writeAll = async () => {
    const changes = waiting
    waiting = []
    next = undefined
    await applyChanges(path, changes)
  }
  return (change) => {
    waiting.push(change)
    next ??= last.then(writeAll, writeAll)
    last = next
    return next
  }
}

async function applyChanges(path: string, changes: Change[]): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true })
    await withFileLock(path, async (requireHeld) => {
      await sweepKeyFiles(path)
      const read = await readKeyFile(path)
      const keys = read?.keys ?? new Map<string, Buffer>()
      const changed = changes.map((change) => change(keys)).some(Boolean)
      if (changed || !read?.current) await replaceKeyFile(path, keys, requireHeld)
    })
  } catch (cause) {
    if (cause instanceof EbbError) throw cause
    throw new EbbError('key_file_unreadable', `${path} cannot be written`, { cause })
  }
}
