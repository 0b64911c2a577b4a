import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { keepAlive } from './keep-alive.ts'
import { isAlive } from './process-table.ts'
import { superviseProcess } from './supervise-process.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'ebb-supervise-'))
})
afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

const shell = (script: string) => ({
  name: 'server',
  command: '/bin/sh',
  args: ['-c', script],
  environment: process.env,
  isReady: async (output: () => string) => output().includes('ready'),
  readyTimeoutMs: 60_000,
  stopTimeoutMs: 300,
})

test('a process that ends before it is ready fails with the end of its log', async () => {
  const start = superviseProcess(home, shell('echo the disk is full; exit 3'))
  await expect(start).rejects.toMatchObject({
    code: 'start_failed',
    message: expect.stringContaining('the disk is full'),
  })
})

test('a process that is not ready in its time fails with the end of its log, and is ended', async () => {
  const spec = { ...shell('echo loading $$; sleep 60'), readyTimeoutMs: 500 }
  const failure: Error = await superviseProcess(home, spec).then(
    () => expect.fail('it was taken for ready'),
    (error) => error,
  )
  expect(failure.message).toContain('not ready within 0.5 s')
  const pid = Number(/loading (\d+)/.exec(failure.message)?.[1])
  expect(isAlive(pid)).toBe(false)
})

test('a restart waits for the new process, not for what the old one had written', async () => {
  const child = await superviseProcess(home, shell('sleep 0.2; echo ready $$; sleep 60'))
  const before = child.pid
  child.kill('SIGKILL')
  await child.restart()
  expect(child.pid).not.toBe(before)
  expect(child.output()).toBe(`ready ${child.pid}\n`)
  await child.stop()
})

test('a process that is coming up again can be killed, and is started once more; a stop ends it', async () => {
  const gate = join(home, 'gate')
  const waits = `echo up $$; until [ -e ${gate} ]; do sleep 0.05; done; echo ready; sleep 60`
  await writeFile(gate, '')
  const child = await superviseProcess(home, shell(waits))
  onTestFinished(() => child.stop())
  const comingUp = async (than: number) => {
    await expect.poll(() => child.pid, { timeout: 20_000 }).not.toBe(than)
    await expect.poll(() => child.output(), { timeout: 20_000 }).toContain(`up ${child.pid}`)
    return child.pid
  }
  await rm(gate)
  const restarted = child.restart()
  const first = await comingUp(child.pid)
  child.kill('SIGKILL')
  await writeFile(gate, '')
  await restarted
  expect(child.pid).not.toBe(first)
  expect(child.output()).toContain('ready')

  await rm(gate)
  const again = child.restart()
  const last = await comingUp(child.pid)
  await child.stop()
  await again
  expect(child.pid).toBe(last)
  expect(isAlive(last)).toBe(false)
})

test('a large log is set aside at a restart too', async () => {
  const child = await superviseProcess(home, shell('echo ready $$; sleep 60'))
  await truncate(child.logFile, 20_000_001)
  await child.restart()
  expect(child.output()).toBe(`ready ${child.pid}\n`)
  expect((await stat(`${child.logFile}.old`)).size).toBe(20_000_001)
  expect((await stat(child.logFile)).size).toBeLessThan(100)
  await child.stop()
})

test('a process that ignores SIGTERM is killed, and so are its children', async () => {
  const child = await superviseProcess(home, shell("trap '' TERM; sleep 60 & echo ready $!; wait; sleep 60"))
  const grandchild = Number(child.output().split(' ')[1])
  await child.stop()
  await sleep(50)
  expect([child.pid, grandchild].filter(isAlive)).toEqual([])
})

test('a stop is not taken for a crash, a crash is told and mended', async () => {
  const lines: string[] = []
  const restarts = new EventEmitter()
  const again = once(restarts, 'restart')
  const child = await superviseProcess(home, shell('echo ready; sleep 60'))
  keepAlive(child, {
    report: (line) => lines.push(line),
    isStopping: () => false,
    onRestarted: async () => void restarts.emit('restart'),
  })
  const before = child.pid
  child.kill('SIGKILL')
  await again
  expect(child.pid).not.toBe(before)
  expect(lines).toEqual([expect.stringContaining('ended unexpectedly (SIGKILL)'), 'server: ready again'])
  await child.stop()
  await sleep(50)
  expect(lines).toHaveLength(2)
})
