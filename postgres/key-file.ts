import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import { filesBeside } from './file-lock.ts'

/** Wrapping keys by name. */
const KeyFile = z.object({ version: z.literal(2), keys: z.record(z.string(), z.base64()) })

/** Before each shard version had a key of its own: master keys by id, one of which wrapped. */
const MasterKeyFile = z.object({
  version: z.literal(1),
  current: z.uuid(),
  keys: z.record(z.uuid(), z.base64()),
})

const KEY_BYTES = 32

/** Name of a master key of a file of version 1. */
export function masterKeyName(id: string): string {
  return `master-${id}`
}

export interface ReadKeyFile {
  keys: Map<string, Buffer>
  /** false: of version 1, to be written anew. */
  current: boolean
}

/**
 * Reads the file; undefined when there is none.
 * @throws EbbError `key_file_exposed` (others may read it), `key_file_unreadable`, `key_file_invalid`
 */
export async function readKeyFile(path: string): Promise<ReadKeyFile | undefined> {
  let text: string
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
      throw new EbbError(
        'key_file_exposed',
        `${path} is open to other users: chmod 600 it, and rotate its keys`,
      )
    }
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof EbbError) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new EbbError('key_file_unreadable', `${path} cannot be read`)
  }
  return parseKeyFile(path, text)
}

function parseKeyFile(path: string, text: string): ReadKeyFile {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    // The cause is not passed on: a JSON error quotes the text, and the text is keys.
    throw new EbbError('key_file_unreadable', `${path} cannot be read as JSON`)
  }
  const file = z.union([KeyFile, MasterKeyFile]).safeParse(parsed)
  if (!file.success) throw new EbbError('key_file_invalid', `${path} is not a key file of this version`)
  const current = file.data.version === 2
  const keys = new Map<string, Buffer>()
  for (const [name, text] of Object.entries(file.data.keys)) {
    const bytes = Buffer.from(text, 'base64')
    if (bytes.length !== KEY_BYTES) throw new EbbError('key_file_invalid', `${path}: a key is not 256 bits`)
    keys.set(current ? name : masterKeyName(name), bytes)
  }
  return { keys, current }
}

/**
 * Puts a new content in the file's place, whole or not at all, and overwrites the old one's bytes: a key that is left out
 * is in no file afterwards, also in none without a name. To be called under the lock; `commit` runs just before.
 *
 * The old file keeps a second name until it is overwritten, so that a crash in between leaves something to sweep.
 */
export async function replaceKeyFile(
  path: string,
  keys: ReadonlyMap<string, Buffer>,
  commit: () => void,
): Promise<void> {
  const entries = [...keys].map(([name, key]) => [name, key.toString('base64')])
  const draft = `${path}.new-${randomUUID()}`
  const old = `${path}.old-${randomUUID()}`
  await writeSynced(draft, `${JSON.stringify({ version: 2, keys: Object.fromEntries(entries) })}\n`)
  faultPoint('keyfile.after-draft')
  const replaced = await link(path, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
  faultPoint('keyfile.after-link')
  commit()
  await rename(draft, path)
  await syncFolder(path)
  faultPoint('keyfile.after-rename')
  if (!replaced) return
  await shred(old)
  await syncFolder(path)
}

/** Overwrites what a process that died left of drafts and replaced files. To be called under the lock. */
export async function sweepKeyFiles(path: string): Promise<void> {
  const inode = async (file: string) => (await stat(file, { bigint: true }).catch(() => undefined))?.ino
  const current = await inode(path)
  for (const left of [...(await filesBeside(path, '.new-')), ...(await filesBeside(path, '.old-'))]) {
    // Its owner died before the replacement: this is a second name of the file in use.
    if ((await inode(left)) === current) await rm(left, { force: true })
    else await shred(left)
  }
}

/** On file systems that write in place the bytes are gone; docs/keys.md says where they may not be. */
async function shred(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  const { size } = await handle.stat()
  await handle.write(Buffer.alloc(size), 0, size, 0)
  await handle.sync()
  await handle.close()
  faultPoint('keyfile.after-shred')
  await rm(path)
}

async function writeSynced(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  await handle.writeFile(text)
  await handle.sync()
  await handle.close()
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r')
  await folder.sync()
  await folder.close()
}
