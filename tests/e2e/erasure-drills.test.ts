import { spawn } from 'node:child_process'
import { describe, it } from 'vitest'
import { builtScript, PROJECT_ROOT } from '../../runtime/project-root.ts'

const LIMIT_MS = 1_200_000

/** Runs a drill as a person would. @returns its exit code and the line of JSON that it ends with */
async function drill(
  name: string,
  ...args: string[]
): Promise<{ code: number | null; report: Record<string, unknown>; output: string }> {
  const child = spawn(process.execPath, [builtScript(`drills/${name}.ts`), ...args], { cwd: PROJECT_ROOT })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  const last = output.trim().split('\n').at(-1)!
  if (!last.startsWith('{')) throw new Error(`the drill ended with ${code}:\n${output.slice(-3_000)}`)
  return { code, report: JSON.parse(last) as Record<string, unknown>, output }
}

describe('the erasure drills', () => {
  it('find nothing of erased people after their certificates', { timeout: LIMIT_MS }, async ({ expect }) => {
    const args = ['--subjects', '4', '--bystanders', '30', '--horizon', '600', '--until', 'certified']
    const { code, report, output } = await drill('erasure', ...args)
    expect(output.match(/.*(not found where it was left|arose)$/gm), 'residues').toBeNull()
    expect(report, output.slice(-3_000)).toMatchObject({
      ...{ subjects: 4, certificates: 4, canaryHitsLive: 0, residuesPlanted: 20 },
      ...{ bystandersChanged: 0, aggregatesEqualRaw: true },
    })
    expect(code).toBe(0)
  })

  it('notice that dead tuples stay in the vault', { timeout: LIMIT_MS }, async ({ expect }) => {
    const args = ['--subjects', '2', '--bystanders', '20', '--horizon', '600', '--until', 'certified']
    const { code, report, output } = await drill('erasure', ...args, '--without', 'vault-rewrite')
    expect(report.canaryHitsLive).toBeGreaterThan(0)
    expect(output).toMatch(/postgres users_public: residue/)
    expect(code).toBe(1)
  })
})
