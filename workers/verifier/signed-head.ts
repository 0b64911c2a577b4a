import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { TreeHead } from '../../certificates/merkle-proof.ts'
import { EbbError } from '../../runtime/errors.ts'
import { writeDurably } from './signing-keys.ts'

const FILE = 'head.json'
const Head = z.strictObject({ size: z.number().int().min(0), root: z.string().regex(/^[0-9a-f]{64}$/) })

/** The last head that was signed here; undefined before the first. @throws EbbError `signing_keys_unreadable` */
export async function readSignedHead(folder: string): Promise<TreeHead | undefined> {
  const path = join(folder, FILE)
  try {
    const { size, root } = Head.parse(JSON.parse(await readFile(path, 'utf8')))
    return { size, root: Buffer.from(root, 'hex') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new EbbError('signing_keys_unreadable', `${path} is no head of a log`)
  }
}

/** Kept before a signature leaves: whoever rolls the bucket back meets a verifier that remembers. */
export async function writeSignedHead(folder: string, { size, root }: TreeHead): Promise<void> {
  await writeDurably(folder, FILE, `${JSON.stringify({ size, root: root.toString('hex') })}\n`)
}
