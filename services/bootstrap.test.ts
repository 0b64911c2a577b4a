import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PROJECT_ROOT } from '../runtime/project-root.ts'
import { isInstalled } from './bootstrap.mjs'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-bootstrap-'))
  await mkdir(join(root, 'node_modules'))
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

const write = (path: string, packages: Record<string, unknown>) =>
  writeFile(join(root, path), JSON.stringify({ packages }))

test('a clone without packages, or with an installation that was cut short, is not installed', async () => {
  await write('package-lock.json', { '': {}, 'node_modules/a': { version: '1.0.0' } })
  expect(isInstalled(root)).toBe(false)
})

test('a package of another version than the lock file asks for means installing again', async () => {
  await write('package-lock.json', { '': {}, 'node_modules/a': { version: '1.0.1' } })
  await write('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.0.0' } })
  expect(isInstalled(root)).toBe(false)
})

test('packages for other platforms may be absent, all others may not', async () => {
  const installed = { 'node_modules/a': { version: '1.0.0' } }
  await write('node_modules/.package-lock.json', installed)
  await write('package-lock.json', { ...installed, 'node_modules/b': { version: '1.0.0', optional: true } })
  expect(isInstalled(root)).toBe(true)
  await write('package-lock.json', { ...installed, 'node_modules/b': { version: '1.0.0' } })
  expect(isInstalled(root)).toBe(false)
})

test('sources that cannot be built are told of in one line, and nothing is run', async () => {
  await write('package-lock.json', {})
  await write('node_modules/.package-lock.json', {})
  await symlink(join(PROJECT_ROOT, 'node_modules/esbuild'), join(root, 'node_modules/esbuild'))
  await mkdir(join(root, 'services'))
  for (const file of ['services/bootstrap.mjs', 'services/choose-node.mjs', 'services/build.mjs']) {
    await copyFile(join(PROJECT_ROOT, file), join(root, file))
  }
  await mkdir(join(root, 'dist/cli'), { recursive: true })
  await writeFile(join(root, 'dist/cli/ebb.js'), "console.log('an old build')")
  const done = spawnSync(process.execPath, ['services/bootstrap.mjs', 'cli/ebb.ts'], {
    cwd: root,
    encoding: 'utf8',
  })
  expect(done.stderr).toMatch(/^ebb: the build failed: Could not resolve ".\/\S+\.ts".*\n$/)
  expect(done.stdout).toBe('')
  expect(done.status).toBe(1)
})

// A registry mirror that lacks a platform's package leaves it out of a new lock file, and `npm ci` then fails everywhere.
test('the lock file names every optional package of every platform', async () => {
  const lock = JSON.parse(await readFile(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>
  }
  const missing = Object.values(lock.packages)
    .flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    .filter((name) => !Object.keys(lock.packages).some((path) => path.endsWith(`node_modules/${name}`)))
  expect(missing).toEqual([])
})
