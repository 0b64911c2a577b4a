import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFileKeyProvider } from './key-provider.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-keys-'))
  path = join(folder, 'home', 'keys.json')
})
afterEach(() => rm(folder, { recursive: true }))

const KEY = Buffer.alloc(32, 7)

test('The key file is made at the first start, for the owner only, and read at the next', async () => {
  const wrapped = await (await createFileKeyProvider(path)).wrap(KEY, 'shard 1')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(wrapped.includes(KEY)).toBe(false)
  expect(await (await createFileKeyProvider(path)).unwrap(wrapped, 'shard 1')).toEqual(KEY)
  expect(await readdir(join(folder, 'home'))).toEqual(['keys.json'])
})

test('Processes that start together end with one key', async () => {
  const providers = await Promise.all(Array.from({ length: 20 }, () => createFileKeyProvider(path)))
  const wrapped = await providers[0]!.wrap(KEY, 'x')
  for (const provider of providers) expect(await provider.unwrap(wrapped, 'x')).toEqual(KEY)
})

test('A file that others may read is refused', async () => {
  await createFileKeyProvider(path)
  for (const mode of [0o640, 0o604, 0o644, 0o660]) {
    await chmod(path, mode)
    await expect(createFileKeyProvider(path)).rejects.toMatchObject({ code: 'key_file_exposed' })
  }
})

test('A file that is no key file is refused without quoting it', async () => {
  await createFileKeyProvider(path)
  const short =
    '{"version":1,"current":"2f1c1b34-5ad3-4fd1-8f0b-1f0f64c5a9aa","keys":{"2f1c1b34-5ad3-4fd1-8f0b-1f0f64c5a9aa":"c2VjcmV0"}}'
  for (const text of ['', 'secret', '{}', '{"version":2}', short]) {
    await writeFile(path, text)
    await expect(createFileKeyProvider(path)).rejects.toThrow(/^(?!.*(secret|c2Vj))/)
    await expect(createFileKeyProvider(path)).rejects.toMatchObject({
      code: expect.stringMatching(/^key_file_/),
    })
  }
})

test('Neither another context, nor another file, nor a flipped bit unwraps', async () => {
  const provider = await createFileKeyProvider(path)
  const wrapped = await provider.wrap(KEY, 'shard 1')
  const flipped = Buffer.from(wrapped)
  flipped[40]! ^= 1
  const other = await createFileKeyProvider(join(folder, 'other.json'))
  await expect(provider.unwrap(wrapped, 'shard 2')).rejects.toMatchObject({ code: 'key_unwrap_failed' })
  await expect(provider.unwrap(flipped, 'shard 1')).rejects.toMatchObject({ code: 'key_unwrap_failed' })
  await expect(other.unwrap(wrapped, 'shard 1')).rejects.toMatchObject({ code: 'key_unwrap_failed' })
})
