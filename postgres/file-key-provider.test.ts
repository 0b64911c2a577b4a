import { spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFileKeyProvider, createFileKeyReader } from './file-key-provider.ts'
import { seal } from './seal.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-keys-'))
  path = join(folder, 'home', 'keys.json')
})
afterEach(() => rm(folder, { recursive: true }))

const KEY = Buffer.alloc(32, 7)

/** On a machine that has other work. */
const LONG_MS = 60_000

/** Names beside the key file that are no lock. */
const files = async () => (await readdir(join(folder, 'home'))).filter((name) => !name.includes('.lock-'))

const keyBytes = async (name: string): Promise<string> => JSON.parse(await readFile(path, 'utf8')).keys[name]

test('The key file is made at the first start, for the owner only, and read at the next', async () => {
  const provider = await createFileKeyProvider(path)
  await provider.createKey('shard-1-v1')
  const wrapped = await provider.wrap('shard-1-v1', KEY, 'shard 1')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(wrapped.includes(KEY)).toBe(false)
  expect(await (await createFileKeyProvider(path)).unwrap('shard-1-v1', wrapped, 'shard 1')).toEqual(KEY)
  expect(await files()).toEqual(['keys.json'])
})

test('Ten processes that make keys at once lose none of them, and end with one key for each name', {
  timeout: LONG_MS,
}, async () => {
  const providers = await Promise.all(Array.from({ length: 10 }, () => createFileKeyProvider(path)))
  const wrapped = await Promise.all(
    providers.map(async (provider, index) => {
      await provider.createKey('shared')
      const early = await provider.wrap('shared', KEY, 'x')
      for (const name of [`own-${index}-a`, `own-${index}-b`]) await provider.createKey(name)
      return early
    }),
  )
  for (const early of wrapped) expect(await providers[0]!.unwrap('shared', early, 'x')).toEqual(KEY)
  const names = providers.flatMap((_, index) => [`own-${index}-a`, `own-${index}-b`])
  expect((await providers[3]!.listKeys()).map((key) => key.name).sort()).toEqual([...names, 'shared'].sort())
})

test('A hundred keys at once are one or two rewrites of the file', async () => {
  const provider = await createFileKeyProvider(path)
  const before = await lockNumber()
  await Promise.all(Array.from({ length: 100 }, (_, index) => provider.createKey(`shard-${index}-v1`)))
  expect((await lockNumber()) - before).toBeLessThanOrEqual(2)
  expect(await provider.listKeys()).toHaveLength(100)
})

/** Of the last change. */
const lockNumber = async () => {
  const names = await readdir(join(folder, 'home'))
  return Number(
    names
      .find((name) => name.includes('.lock-'))
      ?.split('-')
      .at(-1),
  )
}

test('A destroyed key is gone for every process at once, the others stay', async () => {
  const [one, two] = [await createFileKeyProvider(path), await createFileKeyProvider(path)]
  for (const name of ['a', 'b']) await one.createKey(name)
  const wrapped = { a: await one.wrap('a', KEY, 'x'), b: await one.wrap('b', KEY, 'x') }
  expect(await two.unwrap('a', wrapped.a, 'x')).toEqual(KEY)
  await one.destroyKey('a')
  await one.destroyKey('a')
  for (const provider of [one, two]) {
    await expect(provider.unwrap('a', wrapped.a, 'x')).rejects.toMatchObject({ code: 'key_missing' })
    await expect(provider.wrap('a', KEY, 'x')).rejects.toMatchObject({ code: 'key_missing' })
    expect(await provider.unwrap('b', wrapped.b, 'x')).toEqual(KEY)
  }
  // A new key of that name is another key.
  await two.createKey('a')
  await expect(one.unwrap('a', wrapped.a, 'x')).rejects.toMatchObject({ code: 'key_unwrap_failed' })
})

test('The bytes of a destroyed key are overwritten in every file that ever held them', async () => {
  const provider = await createFileKeyProvider(path)
  await provider.createKey('a')
  const first = await open(path)
  const secret = await keyBytes('a')
  await provider.createKey('b')
  const second = await open(path)
  await provider.destroyKey('a')
  for (const old of [first, second]) {
    // Without a name, but still open: what a disk recovery would find.
    const left = await old.readFile()
    expect(left.length).toBeGreaterThan(32)
    expect(left.every((byte) => byte === 0)).toBe(true)
    await old.close()
  }
  expect(await readFile(path, 'utf8')).not.toContain(secret)
  expect(await files()).toEqual(['keys.json'])
})

test.each(['after-draft', 'after-link', 'after-rename', 'after-shred'])(
  'A process that dies %s leaves a whole file, a lock that is taken over at once, and nothing of a destroyed key',
  { timeout: LONG_MS },
  async (point) => {
    const provider = await createFileKeyProvider(path)
    for (const name of ['a', 'b']) await provider.createKey(name)
    const [secret, kept] = [await keyBytes('a'), await keyBytes('b')]
    expect(await destroyInChild('a', `keyfile.${point}:1`)).toBe('SIGKILL')
    const later = await createFileKeyProvider(path)
    const startedAt = performance.now()
    await later.destroyKey('a')
    await later.createKey('c')
    expect(performance.now() - startedAt).toBeLessThan(20_000)
    expect(await files()).toEqual(['keys.json'])
    expect(await readFile(path, 'utf8')).not.toContain(secret)
    expect(await keyBytes('b')).toBe(kept)
    expect((await provider.listKeys()).map((key) => key.name)).toEqual(['b', 'c'])
  },
)

function destroyInChild(name: string, fault: string): Promise<unknown> {
  const code = `const { createFileKeyProvider } = await import('./postgres/file-key-provider.ts')
    await (await createFileKeyProvider(process.argv[1])).destroyKey(process.argv[2])`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code, path, name], {
    env: { ...process.env, EBB_FAULT: fault },
    stdio: 'ignore',
  })
  return new Promise((resolve) => child.once('exit', (status, signal) => resolve(signal ?? status)))
}

test('A key file of before, with one master key, is taken over, and the master is found under its name', async () => {
  const id = randomUUID()
  const master = randomBytes(32)
  await mkdir(join(folder, 'home'))
  await writeFile(
    path,
    JSON.stringify({ version: 1, current: id, keys: { [id]: master.toString('base64') } }),
    { mode: 0o600 },
  )
  const wrapped = seal(master, KEY, Buffer.from('shard 1'))
  const provider = await createFileKeyProvider(path)
  expect(await provider.unwrap(`master-${id}`, wrapped, 'shard 1')).toEqual(KEY)
  expect(JSON.parse(await readFile(path, 'utf8')).version).toBe(2)
})

test('A reader sees each change, and makes, changes and locks nothing', async () => {
  const reader = await createFileKeyReader(path)
  await expect(reader.listKeys()).rejects.toMatchObject({ code: 'key_file_unreadable' })
  await expect(readdir(folder)).resolves.toEqual([])

  const provider = await createFileKeyProvider(path)
  for (const name of ['a', 'b']) await provider.createKey(name)
  const wrapped = await provider.wrap('a', KEY, 'shard 1')
  const standing = async () => [await readdir(join(folder, 'home')), await readFile(path, 'utf8')]
  const before = await standing()
  expect(await reader.unwrap('a', wrapped, 'shard 1')).toEqual(KEY)
  expect(await (await createFileKeyReader(path)).listKeys()).toHaveLength(2)
  expect(await standing()).toEqual(before)

  await provider.destroyKey('a')
  await expect(reader.unwrap('a', wrapped, 'shard 1')).rejects.toMatchObject({ code: 'key_missing' })
  expect(await reader.listKeys()).toEqual([{ name: 'b', goneByMs: null }])
})

test('A reader leaves a file of before as it is', async () => {
  const id = randomUUID()
  const text = JSON.stringify({ version: 1, current: id, keys: { [id]: KEY.toString('base64') } })
  await mkdir(join(folder, 'home'))
  await writeFile(path, text, { mode: 0o600 })
  const reader = await createFileKeyReader(path)
  expect(await reader.listKeys()).toEqual([{ name: `master-${id}`, goneByMs: null }])
  expect(await readFile(path, 'utf8')).toBe(text)
})

test('A file that others may read is refused, also when it is opened to them later', async () => {
  const provider = await createFileKeyProvider(path)
  await provider.createKey('a')
  for (const mode of [0o640, 0o604, 0o644, 0o660]) {
    await chmod(path, mode)
    await expect(createFileKeyProvider(path)).rejects.toMatchObject({ code: 'key_file_exposed' })
    await expect(provider.wrap('a', KEY, 'x')).rejects.toMatchObject({ code: 'key_file_exposed' })
  }
})

test('A file that is no key file is refused without quoting it', async () => {
  await createFileKeyProvider(path)
  const short = '{"version":2,"keys":{"shard-1-v1":"c2VjcmV0"}}'
  for (const text of ['', 'secret', '{}', '{"version":3}', short]) {
    await writeFile(path, text)
    await expect(createFileKeyProvider(path)).rejects.toThrow(/^(?!.*(secret|c2Vj))/)
    await expect(createFileKeyProvider(path)).rejects.toMatchObject({
      code: expect.stringMatching(/^key_file_/),
    })
  }
})

test('Neither another context, nor another key, nor another file, nor a flipped bit unwraps', async () => {
  const provider = await createFileKeyProvider(path)
  const other = await createFileKeyProvider(join(folder, 'other.json'))
  for (const one of [provider, other]) for (const name of ['a', 'b']) await one.createKey(name)
  const wrapped = await provider.wrap('a', KEY, 'shard 1')
  const flipped = Buffer.from(wrapped)
  flipped[20]! ^= 1
  await expect(provider.unwrap('a', wrapped, 'shard 2')).rejects.toMatchObject({ code: 'key_unwrap_failed' })
  await expect(provider.unwrap('b', wrapped, 'shard 1')).rejects.toMatchObject({ code: 'key_unwrap_failed' })
  await expect(provider.unwrap('a', flipped, 'shard 1')).rejects.toMatchObject({ code: 'key_unwrap_failed' })
  await expect(other.unwrap('a', wrapped, 'shard 1')).rejects.toMatchObject({ code: 'key_unwrap_failed' })
})
