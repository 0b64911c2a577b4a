import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { PROJECT_ROOT } from '../runtime/project-root.ts'
import { build, SCRIPTS } from './build.mjs'
import { PROCESS_SCRIPTS } from './own-processes.ts'

const DAY_MS = 86_400_000

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-build-'))
  await write('package.json', '{"type":"module"}')
  await write('one/main.ts', "import { word } from '../word.ts'\nconsole.log('one:', word)\n")
  await write('two.ts', "import { word } from './word.ts'\nconsole.log('two:', word)\n")
  await write('word.ts', "export const word: string = 'first'\n")
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(root, { recursive: true, force: true })
})

async function write(path: string, text: string): Promise<void> {
  await mkdir(join(root, path, '..'), { recursive: true })
  await writeFile(join(root, path), text)
}

const buildBoth = () => build(root, ['one/main.ts', 'two.ts'])
const built = async () => {
  const found = await readdir(join(root, 'dist'), { recursive: true })
  return found.filter((path) => path.endsWith('.js')).sort()
}
/** By file: changes when it is written anew, and not when it is left alone. */
const identities = async () =>
  Object.fromEntries(
    await Promise.all(
      (await built()).map(async (path) => [path, (await stat(join(root, 'dist', path))).ino] as const),
    ),
  )

function start(script: string) {
  const child = spawn(process.execPath, [join(root, 'dist', script)], { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const ended = once(child, 'close').then(() => output.trim().split('\n'))
  return { child, ended }
}

test('a script runs from dist, at the path of its source', async () => {
  buildBoth()
  expect(await start('one/main.js').ended).toEqual(['one: first'])
  expect(await start('two.js').ended).toEqual(['two: first'])
})

test('a build of the same sources writes nothing; of changed ones, what differs', async () => {
  buildBoth()
  const first = await identities()
  const record = await stat(join(root, 'dist/left-over.json'))
  buildBoth()
  expect(await identities()).toEqual(first)
  expect((await stat(join(root, 'dist/left-over.json'))).ino).toBe(record.ino)
  await write('two.ts', "import { word } from './word.ts'\nconsole.log('zwei:', word)\n")
  buildBoth()
  const second = await identities()
  expect(Object.keys(first).filter((path) => first[path] !== second[path])).toEqual(['two.js'])
  expect(await start('two.js').ended).toEqual(['zwei: first'])
})

test('a file is replaced in one step: who reads it reads the old one to its end', async () => {
  buildBoth()
  const reading = await open(join(root, 'dist/two.js'))
  const before = await readFile(join(root, 'dist/two.js'), 'utf8')
  await write('two.ts', 'console.log(2)\n')
  buildBoth()
  expect(await reading.readFile('utf8')).toBe(before)
  await reading.close()
  expect(await readdir(join(root, 'dist'))).toEqual(['left-over.json', 'one', 'shared', 'two.js'])
})

test('what scripts share is there before the first script that wants it', async () => {
  // The first script cannot be written.
  await mkdir(join(root, 'dist/one/main.js'), { recursive: true })
  expect(buildBoth).toThrow(/^the build failed: EISDIR/)
  expect(await built()).toEqual(['one/main.js', expect.stringMatching(/^shared\/chunk-\w+\.js$/)])
})

test('a process that was started before a build still finds what it loads late', async () => {
  await write(
    'two.ts',
    `console.log('ready')
    process.stdin.once('data', async () => console.log((await import('./word.ts')).word))
    process.stdin.once('end', () => process.stdin.destroy())`,
  )
  build(root, ['two.ts'])
  const { child, ended } = start('two.js')
  await once(child.stdout, 'data')
  await write('word.ts', "export const word: string = 'second'\n")
  build(root, ['two.ts'])
  child.stdin.end('go')
  expect(await ended).toEqual(['ready', 'first'])
})

test('what builds make no more goes a week after the build that left it over, however old it was then', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 })
  build(root, ['one/main.ts', 'two.ts'])
  const [, old] = await built()
  expect(old).toMatch(/^shared\//)
  vi.setSystemTime(100 * DAY_MS)
  await write('word.ts', "export const word: string = 'second'\n")
  buildBoth()
  vi.setSystemTime(106 * DAY_MS)
  build(root, ['one/main.ts'])
  expect(await built()).toContain(old)
  vi.setSystemTime(108 * DAY_MS)
  build(root, ['one/main.ts'])
  expect(await built()).not.toContain(old)
  // A script that is built no more, since day 106.
  expect(await built()).toContain('two.js')
  vi.setSystemTime(114 * DAY_MS)
  build(root, ['one/main.ts'])
  expect(await built()).toEqual(['one/main.js'])
})

test('a source that cannot be built is named in one line, and what was built stays', async () => {
  buildBoth()
  const before = await identities()
  await write('two.ts', "import { word } from './wrod.ts'\nimport './nowhere.ts'\nconsole.log(word)\n")
  expect(buildBoth).toThrow(/^the build failed: two\.ts:1: Could not resolve ".\/wrod.ts" \(and 1 more\)$/)
  expect(await identities()).toEqual(before)
})

test('every script that package.json, the platform or code of ours runs is built', async () => {
  const paths = await readdir(PROJECT_ROOT, { recursive: true })
  const sources = paths.filter((path) => /^(?!node_modules|dist|\.)[\w-]+\/.*\.ts$/.test(path))
  const texts = await Promise.all(
    ['package.json', ...sources].map((path) => readFile(join(PROJECT_ROOT, path), 'utf8')),
  )
  const run = texts.flatMap((text) =>
    [...text.matchAll(/(?:bootstrap\.mjs |builtScript\(')(\S+?\.ts)/g)].map((match) => match[1]!),
  )
  expect(run.length).toBeGreaterThan(20)
  expect(SCRIPTS).toEqual(expect.arrayContaining([...run, ...Object.values(PROCESS_SCRIPTS)]))
})

test('no process of ours loads a package of development at its start', async () => {
  const { dependencies } = JSON.parse(await readFile(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const { inputs } = buildSync({
    ...{ absWorkingDir: PROJECT_ROOT, entryPoints: Object.values(PROCESS_SCRIPTS), outdir: 'dist' },
    ...{ bundle: true, write: false, metafile: true, platform: 'node', format: 'esm', packages: 'external' },
  }).metafile
  const loaded = new Set<string>()
  const walked = new Set<string>()
  const walk = (source: string) => {
    if (walked.has(source)) return
    walked.add(source)
    for (const { path, kind, external } of inputs[source]!.imports) {
      if (kind === 'dynamic-import') continue
      if (!external) walk(path)
      else if (!isBuiltin(path)) loaded.add(path.split('/', path.startsWith('@') ? 2 : 1).join('/'))
    }
  }
  Object.values(PROCESS_SCRIPTS).forEach(walk)
  expect(loaded).toContain('zod')
  expect([...loaded].filter((name) => !(name in dependencies))).toEqual([])
})
