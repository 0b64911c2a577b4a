import { readFile } from 'node:fs/promises'
import { EbbError } from '../runtime/errors.ts'
import { loadRegistry, type Registry, RegistryError } from '../schemas/registry.ts'

/**
 * Ebb's own event definitions, and those of the file, if one is named.
 * @throws EbbError `bad_config` that says what is wrong with the file, and quotes nothing of it but a definition's name
 */
export async function readRegistry(file: string | undefined): Promise<Registry> {
  if (!file) return loadRegistry()
  try {
    return loadRegistry(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    throw new EbbError('bad_config', `EBB_EVENT_DEFINITIONS: ${reasonOf(error)}`)
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof RegistryError) return error.message
  return error instanceof SyntaxError
    ? 'the file is not JSON'
    : `the file cannot be read (${(error as NodeJS.ErrnoException).code})`
}
