import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readRegistry } from './read-registry.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-definitions-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test.each([
  ['not there', undefined, 'EBB_EVENT_DEFINITIONS: the file cannot be read (ENOENT)'],
  ['not JSON', 'planted {', 'EBB_EVENT_DEFINITIONS: the file is not JSON'],
  ['no definitions', '7', expect.stringMatching(/^EBB_EVENT_DEFINITIONS: /)],
])('a file of event definitions that is %s is named by its key', async (name, text, message) => {
  const file = join(folder, `${name}.json`)
  if (text !== undefined) await writeFile(file, text)
  await expect(readRegistry(file)).rejects.toMatchObject({ code: 'bad_config', message })
})

test('without a file there are the definitions of Ebb', async () => {
  expect(await readRegistry(undefined)).toBeDefined()
})
