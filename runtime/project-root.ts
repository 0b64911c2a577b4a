import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The project's folder. A module's own place says little: from a bundle it runs somewhere in `dist/`. */
export const PROJECT_ROOT = findUpward(import.meta.dirname)

function findUpward(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('no folder above this module holds a package.json')
  return findUpward(parent)
}

/** The bundle of one of the scripts that services/build.mjs lists, by the path of its source from the project's root. */
export function builtScript(source: string): string {
  return join(PROJECT_ROOT, 'dist', source.replace(/\.ts$/, '.js'))
}
