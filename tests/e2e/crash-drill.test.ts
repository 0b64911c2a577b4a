import { spawn } from 'node:child_process'
import { describe, it } from 'vitest'
import { builtScript, PROJECT_ROOT } from '../../runtime/project-root.ts'
import { createStage } from '../stage.ts'

const LIMIT_MS = 900_000

interface DrillReport {
  kills: number
  acked: number
  stored: number
  lost: number
  duplicated: number
  viewsEqualRaw: boolean
}

/**
 * Runs the crash drill as a person would. @param environment EBB_* of engines that run already; without them it starts its own
 * @returns its exit code and the line of JSON that it ends with
 */
async function drill(
  args: string[],
  environment: Record<string, string> = {},
): Promise<{ code: number | null; report: DrillReport }> {
  const child = spawn(process.execPath, [builtScript('drills/crash.ts'), ...args], {
    cwd: PROJECT_ROOT,
    env: { ...process.env, ...environment },
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    output += chunk
  })
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  const last = output.trim().split('\n').at(-1)!
  if (!last.startsWith('{')) throw new Error(`the drill ended with ${code}:\n${output.slice(-2_000)}`)
  return { code, report: JSON.parse(last) as DrillReport }
}

describe('the crash drill', () => {
  it('finds every acknowledged event once after kills and pauses', { timeout: LIMIT_MS }, async ({
    expect,
  }) => {
    const { code, report } = await drill(['--kills', '4', '--seed', '11'])
    expect(report).toMatchObject({ kills: 4, lost: 0, duplicated: 0, viewsEqualRaw: true })
    expect(report.stored).toBeGreaterThanOrEqual(report.acked)
    expect(report.acked).toBeGreaterThan(1_000)
    expect(code).toBe(0)
  })
})

// Much of their time is waiting, and they strike only processes of their own.
describe.concurrent('the crash drill of ingest that is broken on purpose', () => {
  it.for([
    { variant: 'no-token', points: 'ingest.after-insert,ingest.after-seen', fails: 'duplicated' },
    { variant: 'commit-first', points: 'ingest.before-insert', fails: 'lost' },
    { variant: 'no-seen', points: 'collector.after-produce-before-answer', fails: 'duplicated' },
  ] as const)(
    'notices $variant: $fails',
    { timeout: LIMIT_MS },
    async ({ variant, points, fails }, { expect }) => {
      // Only our processes are struck at these boundaries: the engines may be those of the other tests.
      const stage = await createStage({ migrate: false })
      try {
        // One is enough: each of these boundaries tells the two apart.
        const args = ['--kills', '1', '--seed', '5', '--break', variant, '--points', points]
        const { code, report } = await drill(args, stage.environment)
        expect(report[fails]).toBeGreaterThan(0)
        expect(code).toBe(1)
      } finally {
        await stage.close()
      }
    },
  )
})
