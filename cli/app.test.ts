import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, expect, test, vi } from 'vitest'
import { define } from './app.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('an app is looked for on the ports that the running platform chose', async () => {
  const home = await mkdtemp(join(tmpdir(), 'ebb-app-'))
  let calls = 0
  const postgres = createServer((socket) => {
    calls += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => postgres.listen(0, '127.0.0.1', resolve))
  const { port } = postgres.address() as AddressInfo
  const record = {
    pid: process.pid,
    startedAt: Date.now(),
    collectorUrl: 'http://127.0.0.1:1',
    environment: { EBB_POSTGRES_URL: `postgres://ebb@127.0.0.1:${port}/ebb` },
    processes: [],
  }
  await mkdir(join(home, 'run'))
  await writeFile(join(home, 'run', 'platform.json'), JSON.stringify(record))
  vi.stubEnv('EBB_HOME', home)
  vi.stubEnv('EBB_POSTGRES_URL', undefined)
  const command = new Command('app')
  define(command)
  try {
    await expect(command.parseAsync(['list'], { from: 'user' })).rejects.toThrow('Postgres is away')
    expect(calls).toBeGreaterThan(0)
  } finally {
    postgres.close()
    await rm(home, { recursive: true, force: true })
  }
})
