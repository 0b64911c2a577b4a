import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'

const fault = pathToFileURL(new URL('fault.ts', import.meta.url).pathname).href

/** Passes `point` three times in a process of its own and tells how it ended. */
function pass(EBB_FAULT: string | undefined, point = 'ingest.after-insert') {
  const script = `const { faultPoint } = await import(${JSON.stringify(fault)})
    for (const n of [1, 2, 3]) { console.log(n); faultPoint(${JSON.stringify(point)}) }`
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
})
