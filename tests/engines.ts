import { readFile, rm, statfs } from 'node:fs/promises'
import { freemem, tmpdir } from 'node:os'
import type { TestProject } from 'vitest/node'
import { type EngineName, startEngines } from '../services/start-engines.ts'
import { createTemporaryHome } from '../services/temporary-home.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** EBB_* of the engines that the tests of a run share. */
    engines: Record<string, string>
  }
}

/**
 * Starts all engines once for a run of the engine tiers, on free ports and in a folder of their own. With EBB_TEST_ENGINES
 * (a JSON file as tests/engines-keep.ts writes it) the engines named there are used and left running.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kept = process.env.EBB_TEST_ENGINES
  if (kept) {
    project.provide('engines', JSON.parse(await readFile(kept, 'utf8')) as Record<string, string>)
    return async () => undefined
  }
  const engines = await startTestEngines()
  project.provide('engines', engines.environment)
  return engines.stop
}

export interface TestEngines {
  environment: Record<string, string>
  restart(name: EngineName): Promise<void>
  stop(): Promise<void>
}

const MEMORY_FOLDER = '/dev/shm'
/** Many times what a run's engines write, so that it is there in memory too. */
const ROOM_BYTES = 8 * 2 ** 30

/**
 * In memory where that has room: nothing of a run must outlive the machine, and on a disk each checkpoint of Postgres, of which every
 * erasure and every dropped database has one, takes half a second.
 */
async function findRoom(): Promise<string> {
  const folderRoom = await statfs(MEMORY_FOLDER).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  )
  const room = Math.min(folderRoom, freemem())
  return room > ROOM_BYTES ? MEMORY_FOLDER : tmpdir()
}

export async function startTestEngines(): Promise<TestEngines> {
  const home = await createTemporaryHome('ebb-test-', await findRoom())
  const remove = () => rm(home, { recursive: true, force: true })
  const engines = await startEngines({
    home,
    ports: 'free',
    brief: true,
    onProgress: (line) => process.stderr.write(`  ${line}\n`),
  }).catch(async (error: unknown) => {
    await remove()
    throw error
  })
  return {
    environment: engines.environment,
    restart: engines.restart,
    stop: async () => {
      await engines.stop()
      await remove()
    },
  }
}
