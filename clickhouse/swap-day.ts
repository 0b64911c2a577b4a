import type { ClickHouseClient } from './client.ts'
import type { Day } from './daily-metric.ts'

/**
 * Puts the staged day in the place of the day's partition, atomically a table (`REPLACE PARTITION`), and empties staging.
 * Doing it twice changes nothing.
 * @throws EbbError `staging_dirty` when staging holds a key twice (two runs of one day met): aggregate again.
 */
export async function swapDay(_client: ClickHouseClient, _day: Day): Promise<void> {
  throw new Error('not there yet')
}
