import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { createTemporaryHome } from '../../services/temporary-home.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

it('npm run demo ends well: batch equals stream, and a shopper is erased with proof', {
  timeout: 1_200_000,
}, async () => {
  const home = await createTemporaryHome('ebb-demo-test-')
  try {
    const child = spawn(process.execPath, ['services/bootstrap.mjs', 'cli/demo.ts'], {
      cwd: ROOT,
      env: { ...process.env, EBB_HOME: home },
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk
      })
    }
    const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
    expect(code, output.slice(-2_000)).toBe(0)
    const report = JSON.parse(output.trim().split('\n').at(-1)!)
    expect(report).toMatchObject({ batchEqualsStream: true, eventsStored: report.eventsAccepted })
    expect(report.eventsStored).toBeGreaterThan(10_000)
    // The demo's day holds events that nobody declared: a gate that refused none of them would be open.
    expect(report.rejected).toBeGreaterThan(0)
    expect(existsSync(join(ROOT, report.reportPath))).toBe(true)
    expect(report).toMatchObject({ certificateVerified: true })
    expect(report.rowsErased).toBeGreaterThan(0)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
})
