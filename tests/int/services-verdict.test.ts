import { expect, test } from 'vitest'
import { addCounts, countResults, describeTimes, slowestFiles } from '../count-results.ts'

const file = {
  name: '/x/a.test.ts',
  status: 'passed',
  startTime: 1_000,
  endTime: 2_500,
  assertionResults: [{}],
}
const report = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 1,
  testResults: [file],
}

test('passed, failed and skipped are what the tier reports', () => {
  expect(countResults(report, 0)).toEqual({ passed: 3, failed: 0, skipped: 2 })
  expect(countResults({ ...report, numFailedTests: 2 }, 1)).toEqual({ passed: 3, failed: 2, skipped: 2 })
})

test('a file that cannot be loaded is a failure, though it has no tests', () => {
  const broken = { ...report, testResults: [{ ...file, status: 'failed', assertionResults: [] }] }
  expect(countResults(broken, 1).failed).toBe(1)
})

test('a tier that crashes or ends badly is a failure, though each of its tests passed', () => {
  expect(countResults(null, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 })
  expect(countResults(report, 1).failed).toBe(1)
  expect(countResults(report, null).failed).toBe(1)
})

test('tiers add up', () => {
  const tier = { passed: 1, failed: 2, skipped: 3 }
  expect(addCounts(tier, tier)).toEqual({ passed: 2, failed: 4, skipped: 6 })
})

test('the files that took longest come first', () => {
  const longer = { ...file, name: '/x/b.test.ts', endTime: 9_000 }
  const slowest = slowestFiles({ ...report, testResults: [file, longer] }, 5)
  expect(slowest).toEqual(['b.test.ts 8.0 s', 'a.test.ts 1.5 s'])
})

test('the time of all tiers is told, and plainly when it is above thirty minutes', () => {
  const tiers = (minutes: number) => [
    { tier: 'unit', ms: 60_000 },
    { tier: 'int', ms: minutes * 60_000 },
  ]
  expect(describeTimes(tiers(29))).toEqual(['tiers: unit 60.0 s, int 1740.0 s, together 30.0 min'])
  expect(describeTimes(tiers(30))).toEqual([
    'tiers: unit 60.0 s, int 1800.0 s, together 31.0 min',
    'TOO SLOW: the tiers took 31.0 min, more than 30',
  ])
})
