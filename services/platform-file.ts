import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { withoutVerifierCredentials } from '../runtime/verifier-credentials.ts'
import { isAlive } from './process-table.ts'

/** What a running platform says of itself in `<home>/run/platform.json`, for the other verbs of `ebb`. */
export const PlatformRecord = z.object({
  /** Of the `ebb up` that watches over the rest. */
  pid: z.number().int(),
  /** Milliseconds since 1970. */
  startedAt: z.number(),
  collectorUrl: z.string(),
  gatewayUrl: z.string().optional(),
  /** EBB_* keys that reach every engine, without the verifier's. Development credentials only. */
  environment: z.record(z.string(), z.string()),
  processes: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(['engine', 'process']),
      pid: z.number().int(),
      /** Base URL of /health and /metrics, for our own processes. */
      metricsUrl: z.string().optional(),
    }),
  ),
})
export type PlatformRecord = z.infer<typeof PlatformRecord>

const pathIn = (home: string) => join(home, 'run', 'platform.json')

export interface PlatformWriter {
  /** `describe` is called when its turn has come, so that the last write is of the last state. */
  write(describe: () => Omit<PlatformRecord, 'pid' | 'startedAt'>): Promise<void>
  /** Removes the file; later writes do nothing. */
  remove(): Promise<void>
}

/** Writes the record of this process's platform: one write at a time, by rename, so that a reader never sees half of it. */
export function createPlatformWriter(home: string): PlatformWriter {
  const path = pathIn(home)
  const startedAt = Date.now()
  let removed = false
  let last: Promise<void> = Promise.resolve()
  const enqueue = (task: () => Promise<void>): Promise<void> => {
    last = last.then(task, task)
    return last
  }
  return {
    write: (describe) =>
      enqueue(async () => {
        if (removed) return
        const parts = describe()
        const environment = withoutVerifierCredentials(parts.environment)
        const record: PlatformRecord = { pid: process.pid, startedAt, ...parts, environment }
        await mkdir(dirname(path), { recursive: true })
        await writeFile(`${path}.part`, JSON.stringify(record, null, 2), { mode: 0o600 })
        await rename(`${path}.part`, path)
      }),
    remove: () =>
      enqueue(async () => {
        removed = true
        await rm(path, { force: true })
      }),
  }
}

/** null when no platform runs in this home (a record whose writer is dead counts as none). */
export async function readPlatform(home: string): Promise<PlatformRecord | null> {
  const text = await readFile(pathIn(home), 'utf8').catch(() => null)
  if (text === null) return null
  const parsed = PlatformRecord.safeParse(JSON.parse(text))
  return parsed.success && isAlive(parsed.data.pid) ? parsed.data : null
}
