import { expect, it } from 'vitest'
import { runDrill } from '../run-drill.ts'

it('whoever is linked to an erased person in time is gone to the last row, and nobody else', {
  timeout: 1_200_000,
}, async () => {
  const { code, report, output } = await runDrill('shared-devices', '--graphs', '25', '--seed', '3')
  expect(report, output.slice(-3_000)).toMatchObject({
    ...{ graphs: 25, survivors: 0, othersChanged: 0, aggregatesEqualRaw: true },
  })
  expect(code).toBe(0)
})
