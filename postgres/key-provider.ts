import { randomBytes, randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { EbbError } from '../runtime/errors.ts'
import { seal, unseal } from './seal.ts'

export type KeyProviderErrorCode =
  | 'key_file_exposed'
  | 'key_file_unreadable'
  | 'key_file_invalid'
  | 'key_unwrap_failed'

/** Wraps keys under a master key that never leaves it: a file here, a KMS or an HSM behind the same two calls. */
export interface KeyProvider {
  /** @param context says what is wrapped; the same one must be given to unwrap. */
  wrap(key: Buffer, context: string): Promise<Buffer>
  /** @throws EbbError `key_unwrap_failed` when another master key or another context sealed it. */
  unwrap(wrapped: Buffer, context: string): Promise<Buffer>
}

const KeyFile = z.object({
  version: z.literal(1),
  /** Id of the key that wraps; the others only unwrap. */
  current: z.uuid(),
  keys: z.record(z.uuid(), z.base64()),
})

const ID_BYTES = 16
const KEY_BYTES = 32

/**
 * Master keys out of a file of mode 0600, made at the first start. Wrapped bytes begin with the id of the key that wrapped
 * them (16 bytes), so that a rotation needs no guessing.
 * @throws EbbError `key_file_exposed` (others may read it), `key_file_unreadable`, `key_file_invalid`
 */
export async function createFileKeyProvider(path: string): Promise<KeyProvider> {
  const file = await readOrMake(path)
  const keys = new Map<string, Buffer>()
  for (const [id, key] of Object.entries(file.keys)) {
    const bytes = Buffer.from(key, 'base64')
    if (bytes.length !== KEY_BYTES) throw new EbbError('key_file_invalid', `${path}: a key is not 256 bits`)
    keys.set(idBytes(id).toString('hex'), bytes)
  }
  const currentId = idBytes(file.current)
  const current = keys.get(currentId.toString('hex'))
  if (!current) throw new EbbError('key_file_invalid', `${path}: the current key is missing`)
  return {
    async wrap(key, context) {
      return Buffer.concat([currentId, seal(current, key, Buffer.from(context))])
    },
    async unwrap(wrapped, context) {
      const key = keys.get(wrapped.subarray(0, ID_BYTES).toString('hex'))
      if (!key)
        throw new EbbError('key_unwrap_failed', `${path} does not hold the key that wrapped ${context}`)
      try {
        return unseal(key, wrapped.subarray(ID_BYTES), Buffer.from(context))
      } catch (cause) {
        throw new EbbError('key_unwrap_failed', `${context} does not unwrap`, { cause })
      }
    },
  }
}

function idBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}

async function readOrMake(path: string): Promise<z.infer<typeof KeyFile>> {
  await makeOnce(path)
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0) {
    throw new EbbError(
      'key_file_exposed',
      `${path} is open to other users: chmod 600 it, and replace its keys`,
    )
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'))
  } catch {
    // The cause is not passed on: a JSON error quotes the text, and the text is keys.
    throw new EbbError('key_file_unreadable', `${path} cannot be read as JSON`)
  }
  const file = KeyFile.safeParse(parsed)
  if (!file.success) throw new EbbError('key_file_invalid', `${path} is not a key file of this version`)
  return file.data
}

/**
 * Makes the file whole or not at all, and once: written and synced under another name, then hard-linked, which fails
 * where the name is taken. Two processes that start together end with one key.
 */
async function makeOnce(path: string): Promise<void> {
  const exists = await stat(path).then(
    () => true,
    () => false,
  )
  if (exists) return
  await mkdir(dirname(path), { recursive: true })
  const current = randomUUID()
  const text = JSON.stringify({
    version: 1,
    current,
    keys: { [current]: randomBytes(KEY_BYTES).toString('base64') },
  })
  const draft = `${path}.${randomUUID()}`
  try {
    const handle = await open(draft, 'wx', 0o600)
    await handle.writeFile(`${text}\n`)
    await handle.sync()
    await handle.close()
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    const folder = await open(dirname(path), 'r')
    await folder.sync()
    await folder.close()
  } catch (cause) {
    throw new EbbError('key_file_unreadable', `${path} cannot be made`, { cause })
  } finally {
    await rm(draft, { force: true })
  }
}
