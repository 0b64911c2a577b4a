import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'

/** Brings the configured databases to the newest numbered SQL file. */
export async function migrateClickHouse(_config: Config): Promise<void> {
  throw new EbbError('migration_failed', 'not there yet')
}
