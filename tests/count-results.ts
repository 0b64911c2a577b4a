export interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** The part of vitest's JSON report that is counted. */
export interface VitestReport {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  /** One a file; times in milliseconds since 1970. */
  testResults: {
    name: string
    status: string
    startTime: number
    endTime: number
    assertionResults: unknown[]
  }[]
}

/**
 * A tier's verdict. A file that could not be loaded has no tests, so it counts as one failure; so does a run that
 * ends badly (an unhandled error, a crash) though each of its tests passed.
 */
export function countResults(report: VitestReport | null, exitCode: number | null): Counts {
  if (!report) return { passed: 0, failed: 1, skipped: 0 }
  const notLoaded = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length
  const failed = report.numFailedTests + notLoaded
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

export function addCounts(left: Counts, right: Counts): Counts {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
  }
}

/** The files that a tier's time went into, longest first: `collector.test.ts 9.6 s`. */
export function slowestFiles(report: VitestReport | null, count: number): string[] {
  return (report?.testResults ?? [])
    .map((file) => ({
      name: file.name.slice(file.name.lastIndexOf('/') + 1),
      ms: file.endTime - file.startTime,
    }))
    .sort((left, right) => right.ms - left.ms)
    .slice(0, count)
    .map((file) => `${file.name} ${(file.ms / 1_000).toFixed(1)} s`)
}

export interface TierTime {
  tier: string
  ms: number
}

/** What all tiers together should stay under. */
const GOAL_MS = 30 * 60_000

/** Each tier's time and the sum; a second line when that is above the goal, which fails nothing: the machine may be slow. */
export function describeTimes(took: readonly TierTime[]): string[] {
  const sum = took.reduce((total, { ms }) => total + ms, 0)
  const each = took.map(({ tier, ms }) => `${tier} ${(ms / 1_000).toFixed(1)} s`)
  const minutes = (sum / 60_000).toFixed(1)
  const lines = [`tiers: ${[...each, `together ${minutes} min`].join(', ')}`]
  if (sum > GOAL_MS) lines.push(`TOO SLOW: the tiers took ${minutes} min, more than ${GOAL_MS / 60_000}`)
  return lines
}
