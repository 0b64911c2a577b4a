import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { VERIFIER_CREDENTIALS } from '../runtime/verifier-credentials.ts'
import { createPlatformWriter, readPlatform } from './platform-file.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'ebb-platform-'))
})
afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

test('writes at the same moment do not meet, and the last state is what stays', async () => {
  const writer = createPlatformWriter(home)
  let collectorUrl = 'first'
  const writes = [1, 2, 3].map(() => writer.write(() => ({ collectorUrl, environment: {}, processes: [] })))
  collectorUrl = 'last'
  await Promise.all(writes)
  expect((await readPlatform(home))?.collectorUrl).toBe('last')
})

test('a platform that has stopped leaves no record, also when a restart was being noted', async () => {
  const writer = createPlatformWriter(home)
  const describe = () => ({ collectorUrl: '', environment: {}, processes: [] })
  await writer.write(describe)
  await Promise.all([writer.remove(), writer.write(describe)])
  expect(await readPlatform(home)).toBeNull()
})

test('the record that every verb reads has none of the verifier’s credentials, and its folder', async () => {
  const own = Object.values(VERIFIER_CREDENTIALS).map((key) => [key, 'x://verifier'])
  const others = { EBB_POSTGRES_URL: 'x://everyone', EBB_VERIFIER_FOLDER: '/verifier' }
  const environment = { ...others, ...Object.fromEntries(own) }
  await createPlatformWriter(home).write(() => ({ collectorUrl: '', environment, processes: [] }))
  expect(await readFile(join(home, 'run', 'platform.json'), 'utf8')).not.toContain('x://verifier')
  expect((await readPlatform(home))?.environment).toEqual(others)
})
