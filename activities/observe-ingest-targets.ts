import type { EtlActivities } from '../schemas/etl.ts'
import type { ReadIngestProgress } from './ingest-offsets.ts'

/**
 * Log-end offsets of `events` now. Since the day is over and Kafka stamps records as they come (`LogAppendTime`), every
 * record accepted on that day stands before them. For a day that is still running they mean "so far".
 */
export function createObserveIngestTargets(read: ReadIngestProgress): EtlActivities['observeIngestTargets'] {
  return async () => ({ offsets: (await read()).map(({ partition, high }) => [partition, high]) })
}
