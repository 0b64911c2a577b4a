import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cacheHome, ensureTool, mavenRepositoryArguments } from './tool-cache.ts'

let cache: string
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'ebb-cache-'))
})
afterEach(async () => {
  await rm(cache, { recursive: true, force: true })
})

const report = () => undefined

describe('the cache of fetched tools', () => {
  test('two that want the same tool at once fetch it once', async () => {
    let fetches = 0
    const fetch = async (folder: string) => {
      fetches += 1
      await sleep(50)
      await writeFile(join(folder, 'tool'), 'binary')
    }
    const folders = await Promise.all([1, 2].map(() => ensureTool('tool-1', { cache, report, fetch })))
    expect(new Set(folders)).toEqual(new Set([join(cache, 'tool-1')]))
    expect(fetches).toBe(1)
    expect(await readFile(join(cache, 'tool-1', 'tool'), 'utf8')).toBe('binary')
  })

  test('a fetch that fails leaves nothing that the next one could take for whole', async () => {
    const broken = async (folder: string) => {
      await writeFile(join(folder, 'half'), '')
      throw new Error('the network went away')
    }
    await expect(ensureTool('tool-1', { cache, report, fetch: broken })).rejects.toThrow('the network')
    expect(await readdir(cache)).toEqual([])
  })

  test('the lock of a process that died does not hold up the next', async () => {
    await writeFile(join(cache, 'tool-1.lock'), '999999999')
    const folder = await ensureTool('tool-1', { cache, report, fetch: async () => undefined })
    expect(folder).toBe(join(cache, 'tool-1'))
  })

  test('XDG_CACHE_HOME comes before HOME', () => {
    expect(cacheHome({ HOME: '/home/a' })).toBe('/home/a/.cache/ebb')
    expect(cacheHome({ HOME: '/home/a', XDG_CACHE_HOME: '/cache' })).toBe('/cache/ebb')
  })

  test('Maven is told where its repository is when HOME is not the home of the user database', () => {
    expect(mavenRepositoryArguments({ HOME: '/elsewhere' })).toEqual([
      '-Dmaven.repo.local=/elsewhere/.m2/repository',
    ])
    expect(mavenRepositoryArguments({})).toEqual([])
  })
})
