import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sweepStale } from './sweep-stale.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'ebb-sweep-'))
  await mkdir(join(home, 'run'))
})
afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

async function startRecorded(command: string) {
  const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const record = { pid: child.pid, name: 'engine', command }
  await writeFile(join(home, 'run', 'engine.pid'), JSON.stringify(record))
  return { child, ended }
}

test('what an earlier start left running is ended', async () => {
  const { ended } = await startRecorded('sleep 300')
  expect(await sweepStale(home)).toEqual(['engine'])
  await ended
  expect(await readdir(join(home, 'run'))).toEqual([])
})

test('a process that got the pid of a dead one is left alone', async () => {
  const { child, ended } = await startRecorded('java -cp jars kafka.Kafka')
  expect(await sweepStale(home)).toEqual([])
  expect(child.exitCode).toBeNull()
  expect(child.signalCode).toBeNull()
  child.kill('SIGKILL')
  await ended
})

test('a pid file that was cut short is removed and harms nothing', async () => {
  await writeFile(join(home, 'run', 'engine.pid'), '{"pid":')
  expect(await sweepStale(home)).toEqual([])
  expect(await readdir(join(home, 'run'))).toEqual([])
})
