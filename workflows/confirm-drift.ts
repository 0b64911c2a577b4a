import { type CompareResult, type DriftedRow, MAX_DRIFTED_ROWS, type Measures } from '../schemas/etl.ts'

/**
 * Tells drift from events that arrived while the day was counted. Batch is read before streaming, and a late event in
 * between makes them differ although nothing is wrong. So a difference is looked at twice, with a fresh count in
 * between, and is drift unless the new count lies between the two readings of streaming: first reading ≤ new batch ≤
 * second reading is what healthy views show under any stream of late events.
 *
 * A row that agreed at the first look and differs at the second was whole a minute ago: late events, not drift.
 */
export function confirmDrift(first: CompareResult, second: CompareResult): CompareResult {
  // A cut-off list cannot be matched row by row; so many rows at once are no late events.
  if (first.driftedCount > first.drifted.length || second.driftedCount > second.drifted.length) return second
  const before = new Map(first.drifted.map((row) => [keyOf(row), row]))
  const drifted = second.drifted.filter((row) => {
    const earlier = before.get(keyOf(row))
    return earlier !== undefined && !arrivedBetween(earlier.streaming, row.batch, row.streaming)
  })
  return {
    equal: second.equal + second.driftedCount - drifted.length,
    driftedCount: drifted.length,
    drifted: drifted.slice(0, MAX_DRIFTED_ROWS),
  }
}

function keyOf(row: DriftedRow): string {
  return JSON.stringify([row.app, row.event, row.currency])
}

const NOTHING: Measures = { events: 0, users: 0, sessions: 0, revenue: '0' }

function arrivedBetween(first: Measures | null, count: Measures | null, second: Measures | null): boolean {
  const low = first ?? NOTHING
  const middle = count ?? NOTHING
  const high = second ?? NOTHING
  return (
    low.events <= middle.events &&
    middle.events <= high.events &&
    low.users <= middle.users &&
    middle.users <= high.users &&
    low.sessions <= middle.sessions &&
    middle.sessions <= high.sessions &&
    tenThousandths(low.revenue) <= tenThousandths(middle.revenue) &&
    tenThousandths(middle.revenue) <= tenThousandths(high.revenue)
  )
}

/** Decimal text with up to four places as an integer, exactly: `12.5` is 125000n. */
function tenThousandths(decimal: string): bigint {
  const negative = decimal.startsWith('-')
  const [whole = '0', fraction = ''] = decimal.replace('-', '').split('.')
  const value = BigInt(whole) * 10_000n + BigInt(fraction.padEnd(4, '0').slice(0, 4))
  return negative ? -value : value
}
