import type { WithIngestHeld } from '../clickhouse/rederive-aggregates.ts'
import { holdIngest } from '../kafka/ingest-hold.ts'
import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'

/**
 * How long a hold may last, if its holder dies in it: ingest is late by that much and no more. Long enough to wait out a partition
 * that has just changed hands (12 s) and then to swap a year's months.
 */
const HOLD_MS = 30_000

/** Holds ingest around a piece of work, by the control record that every member follows. */
export function createIngestHolder(config: Config, logger: Logger): WithIngestHeld {
  return async (work) => {
    const hold = await holdIngest(config, logger, { untilMs: Date.now() + HOLD_MS })
    try {
      await hold.waitHeld()
      return await work(hold.leftMs)
    } finally {
      await hold.release()
    }
  }
}
