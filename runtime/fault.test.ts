import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'

const fault = pathToFileURL(new URL('fault.ts', import.meta.url).pathname).href

/**
 * Passes `point` three times in a process of its own and tells how it ended.
 * @param told what the file of the fault holds, one after the other, at each of the signals that the process gets before
 */
function pass(EBB_FAULT: string | undefined, told: (string | undefined)[] = []) {
  const script = `const { faultPoint } = await import(${JSON.stringify(fault)})
    const { rmSync, writeFileSync } = await import('node:fs')
    const { setTimeout: sleep } = await import('node:timers/promises')
    const file = process.env.EBB_FAULT?.slice(1)
    for (const text of ${JSON.stringify(told.map((text) => text ?? null))}) {
      if (text === null) rmSync(file, { force: true })
      else writeFileSync(file, text)
      process.kill(process.pid, 'SIGUSR2')
      await sleep(100)
    }
    for (const n of [1, 2, 3]) { console.log(n); faultPoint('ingest.after-insert') }`
  const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    env: { ...process.env, EBB_FAULT },
    encoding: 'utf8',
  })
  return { signal: run.signal, lines: run.stdout.trim().split('\n') }
}

describe('a fault point', () => {
  test('kills the process when it is reached for the n-th time, and not before', () => {
    expect(pass('ingest.after-insert:2')).toEqual({ signal: 'SIGKILL', lines: ['1', '2'] })
  })
  test('does nothing when another point is named, when unset, and when malformed', () => {
    for (const value of [
      'ingest.before-insert:1',
      undefined,
      'ingest.after-insert',
      'ingest.after-insert:0',
    ]) {
      expect(pass(value)).toEqual({ signal: null, lines: ['1', '2', '3'] })
    }
  })
  test('is taken from a file once', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ebb-fault-'))
    const file = join(folder, 'fault')
    writeFileSync(file, 'ingest.after-insert:1\n')
    expect(pass(`@${file}`)).toEqual({ signal: 'SIGKILL', lines: ['1'] })
    expect(existsSync(file)).toBe(false)
    expect(pass(`@${file}`)).toEqual({ signal: null, lines: ['1', '2', '3'] })
    rmSync(folder, { recursive: true })
  })
  test('is taken by a process that runs when it is told to, and given up when the file is gone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ebb-fault-'))
    const file = join(folder, 'fault')
    expect(pass(`@${file}`, ['ingest.after-insert:1', undefined])).toEqual({
      signal: null,
      lines: ['1', '2', '3'],
    })
    expect(pass(`@${file}`, ['ingest.before-insert:1', 'ingest.after-insert:2'])).toEqual({
      signal: 'SIGKILL',
      lines: ['1', '2'],
    })
    expect(existsSync(file)).toBe(false)
    rmSync(folder, { recursive: true })
  })
})
