import { expect, it } from 'vitest'
import { runDrill } from '../run-drill.ts'

it('no certificate comes too early, whoever is killed, and every saga ends', {
  timeout: 1_200_000,
}, async () => {
  // All workers when secrets are just gone, then two engines while a worker stands where a hold is released.
  const args = ['--kills', '3', '--from', '143', '--seed', '12', '--bystanders', '20', '--horizon', '20']
  const { code, report, output } = await runDrill('saga', ...args)
  expect(report, output.slice(-3_000)).toMatchObject({ kills: 3, blocked: 0, prematureCertificates: 0 })
  expect(report.complete).toBe(report.sagas)
  // Two each, and those that named what was held.
  expect(report.certificatesChecked).toBeGreaterThanOrEqual(2 * Number(report.sagas))
  expect(code).toBe(0)
})
