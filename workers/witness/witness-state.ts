import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { TreeHead } from '../../certificates/merkle-proof.ts'
import { EbbError } from '../../runtime/errors.ts'

const Heads = z.record(
  z.string(),
  z.strictObject({ size: z.number().int().min(0), root: z.string().regex(/^[0-9a-f]{64}$/) }),
)

/** The last head that the witness cosigned, by origin, in one file. */
export interface WitnessState {
  /** One at a time: reads, decides and stores as one, on disk before anything leaves. */
  update<T>(decide: (stateOf: (origin: string) => TreeHead | undefined) => Decision<T>): Promise<T>
}

export interface Decision<T> {
  answer: T
  store?: { origin: string; head: TreeHead }
}

/** @throws EbbError `witness_state_unreadable`: a witness that forgot what it saw would cosign a fork */
export async function openWitnessState(folder: string): Promise<WitnessState> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, 'heads.json')
  const heads = await readHeads(path)
  let queue: Promise<unknown> = Promise.resolve()

  async function apply<T>(
    decide: (stateOf: (origin: string) => TreeHead | undefined) => Decision<T>,
  ): Promise<T> {
    const { answer, store } = decide((origin) => heads.get(origin))
    if (!store) return answer
    const next = new Map(heads).set(store.origin, store.head)
    await writeHeads(folder, path, next)
    heads.set(store.origin, store.head)
    return answer
  }

  return {
    update(decide) {
      const done = queue.then(() => apply(decide))
      queue = done.catch(() => {})
      return done
    },
  }
}

async function readHeads(path: string): Promise<Map<string, TreeHead>> {
  try {
    const stored = Heads.parse(JSON.parse(await readFile(path, 'utf8')))
    return new Map(
      Object.entries(stored).map(([origin, { size, root }]) => [
        origin,
        { size, root: Buffer.from(root, 'hex') },
      ]),
    )
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw new EbbError('witness_state_unreadable', `${path} cannot be read`)
  }
}

/** A crash leaves the old file or the new one, whole and on disk. */
async function writeHeads(folder: string, path: string, heads: ReadonlyMap<string, TreeHead>): Promise<void> {
  const stored = [...heads].map(([origin, { size, root }]) => [origin, { size, root: root.toString('hex') }])
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(JSON.stringify(Object.fromEntries(stored)))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const directory = await open(folder, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
