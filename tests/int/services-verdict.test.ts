import { expect, test } from 'vitest'
import { addCounts, countResults } from '../count-results.ts'

const report = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 1,
  testResults: [{ status: 'passed', assertionResults: [{}] }],
}

test('passed, failed and skipped are what the tier reports', () => {
  expect(countResults(report, 0)).toEqual({ passed: 3, failed: 0, skipped: 2 })
  expect(countResults({ ...report, numFailedTests: 2 }, 1)).toEqual({ passed: 3, failed: 2, skipped: 2 })
})

test('a file that cannot be loaded is a failure, though it has no tests', () => {
  const broken = { ...report, testResults: [{ status: 'failed', assertionResults: [] }] }
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
