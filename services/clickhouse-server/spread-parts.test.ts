import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createPartSpreader } from './spread-parts.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-spread-'))
  const chattr = join(folder, 'bin', 'chattr')
  await mkdir(join(folder, 'bin'))
  await writeFile(chattr, `#!/bin/sh\necho "$@" >> ${join(folder, 'calls')}\n`, { mode: 0o755 })
  vi.stubEnv('PATH', `${join(folder, 'bin')}${delimiter}${process.env.PATH}`)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

const calls = async () => (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n')

test('tables that are made one after the other are marked in one go, and none of them twice', async () => {
  const parts = createPartSpreader(folder)
  const make = async (name: string) => {
    const table = join(folder, 'store', 'abc', name)
    await mkdir(table, { recursive: true })
    return table
  }
  const first = [await make('t1'), await make('t2'), await make('t3')]
  for (const _ of first) parts.spread()
  await vi.waitFor(async () => expect(await calls()).toHaveLength(1), 10_000)
  const later = await make('t4')
  parts.spread()
  await vi.waitFor(async () => expect(await calls()).toHaveLength(2), 10_000)
  const [one, two] = await calls()
  expect(one!.split(' ').toSorted()).toEqual(['+T', ...first].toSorted())
  expect(two).toBe(`+T ${later}`)
})
