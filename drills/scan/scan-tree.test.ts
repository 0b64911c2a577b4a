import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createCanaries } from './canaries.ts'
import { scanTree } from './scan-tree.ts'
import { createScanner } from './scanner.ts'

const canaries = createCanaries()
const scanner = createScanner(canaries)
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-scan-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const filesFound = async () =>
  (await scanTree(scanner, [folder])).findings.map(({ file, containers }) =>
    [file.slice(folder.length + 1), ...containers].join(' in '),
  )

it('looks at names, links and contents of every file below', async () => {
  await mkdir(join(folder, 'a', canaries.make(1, 1)), { recursive: true })
  await writeFile(join(folder, 'a', 'x'), `--${canaries.make(2, 2)}--`)
  await symlink(`/nowhere/${canaries.make(3, 3)}`, join(folder, 'link'))
  await writeFile(join(folder, 'clean'), 'nothing here')
  expect((await filesFound()).sort()).toEqual([`a/${canaries.make(1, 1)} (name)`, 'a/x', 'link (link)'])
})

it('finds a canary in a file of many windows, also where two of them meet', async () => {
  const path = join(folder, 'large')
  const at = 96 * 1024 * 1024 - 10
  await writeFile(path, '')
  await truncate(path, at)
  await writeFile(path, canaries.make(4, 4), { flag: 'a' })
  expect(await filesFound()).toContain('large')
})

it('joins the pages of a database whose records run over page borders', async () => {
  const page = 4_096
  const text = canaries.make(5, 5)
  const pages = Buffer.alloc(page * 3)
  pages.write('SQLite format 3\0')
  pages.writeUInt16BE(page, 16)
  pages.write(text.slice(0, 9), page * 2 - 9)
  pages.write(text.slice(9), page * 2 + 4)
  await writeFile(join(folder, 'temporal.db'), pages)
  expect(await filesFound()).toEqual(['temporal.db in sqlite-pages'])
})

it('joins the pages of a write-ahead log', async () => {
  const page = 8_192
  const text = canaries.make(6, 6)
  const pages = Buffer.alloc(page * 2)
  Buffer.from([0x18, 0xd1, 2, 0]).copy(pages)
  pages.writeUInt32LE(page, 36)
  pages.write(text.slice(0, 5), page - 5)
  pages.write(text.slice(5), page + 24)
  await writeFile(join(folder, '000000010000000000000001'), pages)
  expect(await filesFound()).toEqual(['000000010000000000000001 in wal-pages'])
})

it('throws for a file that nobody can read, instead of calling it clean', async () => {
  await expect(scanTree(scanner, [join(folder, 'missing')])).resolves.toMatchObject({ vanished: 1 })
  const broken = { scan: () => Promise.reject(new Error('disk')) }
  await writeFile(join(folder, 'x'), 'some bytes')
  await expect(scanTree(broken, [folder])).rejects.toThrow('disk')
})
