import type { Client } from '@temporalio/client'
import {
  createErasureActivities,
  type PlatformErasureActivities,
} from '../../activities/create-erasure-activities.ts'
import type { ClickHouseClient } from '../../clickhouse/client.ts'
import { readIngestProgress } from '../../kafka/read-ingest-progress.ts'
import { createRevocationPublisher } from '../../kafka/revocations.ts'
import { createSubjectStatePublisher } from '../../kafka/subject-states.ts'
import { createPostgres } from '../../postgres/client.ts'
import { openKeyring } from '../../postgres/keyring.ts'
import { openKeyProvider } from '../../postgres/open-key-provider.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import { createS3 } from '../../s3/client.ts'
import { eraseBatchWorkflowId } from './workflow-ids.ts'

/** Rewrites of whole tables run in these pools' statements. */
const STATEMENT_TIMEOUT_MS = 10 * 60_000

export interface OpenedErasure {
  activities: PlatformErasureActivities
  close(): Promise<void>
}

/** The erasure's activities over the real engines. @throws what the engines' clients throw when they cannot be opened */
export async function openErasure(deps: {
  config: Config
  logger: Logger
  client: Client
  clickhouse: ClickHouseClient
  reportsFolder: string
}): Promise<OpenedErasure> {
  const { config, logger } = deps
  const pool = { connections: 8, timeoutMs: STATEMENT_TIMEOUT_MS }
  const postgres = createPostgres(config.postgres.url, pool)
  const keyrings = createPostgres(config.postgres.keyringUrl)
  const provider = await openKeyProvider(config)
  const [keyring, states, revocations] = await Promise.all([
    openKeyring(keyrings, provider),
    createSubjectStatePublisher(config, logger),
    createRevocationPublisher(config, logger),
  ])
  const s3 = createS3(config)
  const activities = createErasureActivities({
    ...deps,
    now: Date.now,
    postgres,
    keyring,
    provider,
    s3,
    states,
    revocations,
    readIngestProgress: () => readIngestProgress(config, logger),
    batchWorkflowId: eraseBatchWorkflowId(config.temporal.taskQueue),
  })
  return {
    activities,
    async close() {
      await Promise.all([states.close(), revocations.close(), postgres.close(), keyrings.close()])
      s3.close()
    },
  }
}
