import { readFile, rm } from 'node:fs/promises'
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

export async function startTestEngines(): Promise<TestEngines> {
  const home = await createTemporaryHome('ebb-test-')
  const engines = await startEngines({
    home,
    ports: 'free',
    brief: true,
    onProgress: (line) => process.stderr.write(`  ${line}\n`),
  })
  return {
    environment: engines.environment,
    restart: engines.restart,
    stop: async () => {
      await engines.stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}
