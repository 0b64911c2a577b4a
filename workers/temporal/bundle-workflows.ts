import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundle } from '@temporalio/worker'
import { PROJECT_ROOT } from '../../runtime/project-root.ts'

export const WORKFLOWS_PATH = join(PROJECT_ROOT, 'workflows', 'index.ts')
/** Where the last bundle is kept; it is as much to be trusted as the packages beside it. */
const KEPT = join(PROJECT_ROOT, 'node_modules', '.cache', 'ebb', 'workflows.json')
/** All that workflows may import (a lint rule holds it), and the versions of everything else. */
const SOURCE_FOLDERS = ['workflows', 'schemas']
const OTHER_SOURCES = ['package-lock.json', 'tsconfig.json']

/**
 * Bundles the workflows. That takes seconds of CPU, which the start of every worker would pay: the bundle of the same sources is
 * taken from the last time.
 * @param workflowsPath another entry point, for tests that replay histories against changed workflows.
 */
export async function bundleWorkflows(workflowsPath = WORKFLOWS_PATH): Promise<WorkflowBundle> {
  if (workflowsPath !== WORKFLOWS_PATH) return bundle(workflowsPath)
  const code = await keptCode(KEPT, await hashSources(), async () => (await bundle(workflowsPath)).code)
  return { code }
}

/** The code of these sources out of a file, or made and kept there for the next time. @param hash of the sources */
export async function keptCode(file: string, hash: string, make: () => Promise<string>): Promise<string> {
  const kept = await readFile(file, 'utf8')
    .then((text) => JSON.parse(text) as { hash: string; code: string })
    .catch(() => undefined)
  if (kept?.hash === hash) return kept.code
  const code = await make()
  // A folder that cannot be written to costs the next start its time, nothing else.
  await keep(file, { hash, code }).catch(() => undefined)
  return code
}

async function bundle(workflowsPath: string): Promise<{ code: string }> {
  const made = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') })
  return { code: made.code }
}

async function hashSources(): Promise<string> {
  const listed = SOURCE_FOLDERS.map(async (folder) =>
    (await readdir(join(PROJECT_ROOT, folder)))
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => join(folder, file)),
  )
  const files = [...(await Promise.all(listed)).flat().sort(), ...OTHER_SOURCES]
  const hash = createHash('sha256').update(process.version)
  for (const file of files) {
    const text = await readFile(join(PROJECT_ROOT, file))
    hash.update(`\n${file} ${text.length}\n`).update(text)
  }
  return hash.digest('hex')
}

/** Renamed into its place: a reader finds a whole one. */
async function keep(file: string, made: { hash: string; code: string }): Promise<void> {
  const unfinished = `${file}.${process.pid}`
  await mkdir(dirname(file), { recursive: true })
  await writeFile(unfinished, JSON.stringify(made))
  await rename(unfinished, file)
}
