import type { ClickHouseClient } from '../clickhouse/client.ts'
import type { RejectedCounts } from '../kafka/read-rejections.ts'
import type { Postgres } from '../postgres/client.ts'
import type { Logger } from '../runtime/logger.ts'
import type { EtlActivities } from '../schemas/etl.ts'
import { createAggregateDay } from './aggregate-day.ts'
import { createAwaitIngest } from './await-ingest.ts'
import { createCompareDay } from './compare-day.ts'
import type { ReadIngestProgress } from './ingest-offsets.ts'
import { mapErrors } from './map-errors.ts'
import { createObserveIngestTargets } from './observe-ingest-targets.ts'
import { createRaiseAlert } from './raise-alert.ts'
import { createRepublishDirtyDays } from './republish-dirty-days.ts'
import { createSwapDay } from './swap-day.ts'
import { createWriteBusinessReport } from './write-business-report.ts'
import { createWriteMonthlyTrends } from './write-monthly-trends.ts'

export interface ActivityDependencies {
  clickhouse: ClickHouseClient
  /** Database `ebb`. */
  postgres: Postgres
  readIngestProgress: ReadIngestProgress
  /** Rejections between two moments, milliseconds since 1970, the end exclusive. */
  readRejections(from: number, to: number): Promise<RejectedCounts>
  /** Where reports and alerts are written; made when missing. */
  reportsFolder: string
  logger: Logger
  /** Milliseconds since 1970. */
  now(): number
}

/** Every side effect of the workflows, over the dependencies it needs. What they throw is mapped to closed codes. */
export function createActivities(deps: ActivityDependencies): EtlActivities {
  const { clickhouse, readIngestProgress, logger } = deps
  const activities: EtlActivities = {
    observeIngestTargets: createObserveIngestTargets(readIngestProgress),
    awaitIngest: createAwaitIngest(readIngestProgress),
    aggregateDay: createAggregateDay(clickhouse),
    swapDay: createSwapDay(clickhouse),
    compareDay: createCompareDay(clickhouse),
    republishDirtyDays: createRepublishDirtyDays(deps),
    raiseAlert: createRaiseAlert(deps.reportsFolder, logger, deps.now),
    writeBusinessReport: createWriteBusinessReport(deps),
    writeMonthlyTrends: createWriteMonthlyTrends(deps),
  }
  return mapErrors(activities, logger)
}
