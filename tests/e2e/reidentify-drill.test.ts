import { expect, it } from 'vitest'
import { runDrill } from '../run-drill.ts'

it('after `closed` nobody is found again with every disk and key that is left', {
  timeout: 1_200_000,
}, async () => {
  const args = ['--subjects', '2', '--bystanders', '20', '--horizon', '8']
  const { code, report, output } = await runDrill('reidentify', ...args)
  expect(report, output.slice(-3_000)).toMatchObject({ secretsUnwrapped: 0, linked: 0, linkedBefore: 2 })
  expect(code).toBe(0)
})
