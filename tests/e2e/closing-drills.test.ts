import { describe, it } from 'vitest'
import { runDrill } from '../run-drill.ts'

const LIMIT_MS = 1_200_000

describe('the drills that go on until requests are closed', () => {
  it('find nobody again with every disk and key that is left', { timeout: LIMIT_MS }, async ({ expect }) => {
    const args = ['--subjects', '2', '--bystanders', '20', '--horizon', '20']
    const { code, report, output } = await runDrill('reidentify', ...args)
    expect(report, output.slice(-3_000)).toMatchObject({ secretsUnwrapped: 0, linked: 0, linkedBefore: 2 })
    expect(code).toBe(0)
  })

  it('see no certificate too early, whoever is killed', { timeout: LIMIT_MS }, async ({ expect }) => {
    // Two engines while a worker stands at a boundary, then all workers when secrets are just gone.
    const args = ['--kills', '3', '--from', '69', '--seed', '12', '--bystanders', '20', '--horizon', '20']
    const { code, report, output } = await runDrill('saga', ...args)
    expect(report, output.slice(-3_000)).toMatchObject({ kills: 3, blocked: 0, prematureCertificates: 0 })
    expect(report.complete).toBe(report.sagas)
    expect(report.certificatesChecked).toBe(2 * Number(report.sagas))
    expect(code).toBe(0)
  })
})
