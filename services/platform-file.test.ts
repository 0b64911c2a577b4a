import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
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
