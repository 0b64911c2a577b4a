import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keptCode } from './bundle-workflows.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-bundle-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('the bundle of the same sources is made once, that of others anew', async () => {
  const file = join(folder, 'cache', 'workflows.json')
  let made = 0
  const make = async () => `code ${++made}`
  expect(await keptCode(file, 'one', make)).toBe('code 1')
  expect(await keptCode(file, 'one', make)).toBe('code 1')
  expect(await keptCode(file, 'two', make)).toBe('code 2')
  expect(await keptCode(file, 'two', make)).toBe('code 2')
})

test('a broken file, and a folder that cannot be written to, only cost time', async () => {
  const file = join(folder, 'workflows.json')
  await writeFile(file, '{"hash":"one","co')
  expect(await keptCode(file, 'one', async () => 'new')).toBe('new')
  expect(await keptCode(file, 'one', async () => 'newer')).toBe('new')
  expect(await keptCode(join(file, 'below a file'), 'one', async () => 'code')).toBe('code')
})
