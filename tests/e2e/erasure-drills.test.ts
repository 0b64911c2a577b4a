import { describe, it } from 'vitest'
import { runDrill } from '../run-drill.ts'

const LIMIT_MS = 1_200_000

describe('the erasure drills', () => {
  it('find nothing of erased people after their certificates', { timeout: LIMIT_MS }, async ({ expect }) => {
    const args = ['--subjects', '4', '--bystanders', '30', '--horizon', '600', '--until', 'certified']
    const { code, report, output } = await runDrill('erasure', ...args)
    expect(output.match(/.*(not found where it was left|arose)$/gm), 'residues').toBeNull()
    expect(report, output.slice(-3_000)).toMatchObject({
      ...{ subjects: 4, certificates: 4, canaryHitsLive: 0, residuesPlanted: 20 },
      ...{ bystandersChanged: 0, aggregatesEqualRaw: true },
    })
    expect(code).toBe(0)
  })

  it('notice that dead tuples stay in the vault', { timeout: LIMIT_MS }, async ({ expect }) => {
    const args = ['--subjects', '2', '--bystanders', '20', '--horizon', '600', '--until', 'certified']
    const { code, report, output } = await runDrill('erasure', ...args, '--without', 'vault-rewrite')
    expect(report.canaryHitsLive).toBeGreaterThan(0)
    expect(output).toMatch(/postgres users_public: residue/)
    expect(code).toBe(1)
  })
})
