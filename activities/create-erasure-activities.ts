import type { Client } from '@temporalio/client'
import type { ClickHouseClient } from '../clickhouse/client.ts'
import { s3Collection } from '../clickhouse/s3-collections.ts'
import type { IngestProgress } from '../kafka/read-ingest-progress.ts'
import type { RevocationPublisher } from '../kafka/revocations.ts'
import type { SubjectStatePublisher } from '../kafka/subject-states.ts'
import { acceptEnding } from '../postgres/accept-ending.ts'
import type { TransactingPostgres } from '../postgres/client.ts'
import type { KeyProvider } from '../postgres/key-provider.ts'
import type { Keyring } from '../postgres/keyring.ts'
import { noteRelease } from '../postgres/note-release.ts'
import { setState } from '../postgres/privacy-requests.ts'
import type { Config } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import type { S3 } from '../s3/client.ts'
import type { ErasureActivities, ErasureBatchActivities, FollowUpActivities } from '../schemas/erasure.ts'
import { createAwaitBlock } from './await-block.ts'
import { createBlockSubjects } from './block-subjects.ts'
import { createCancelRequest, createCloseRequest } from './close-request.ts'
import { createDestroySecrets, createKeyDestroyer } from './destroy-secrets.ts'
import { createEnqueue } from './enqueue-erasure.ts'
import { createArchiveEraser } from './erase-archive.ts'
import { createClickHouseEraser } from './erase-clickhouse.ts'
import { createExportsEraser } from './erase-exports.ts'
import { createEraseStore } from './erase-store.ts'
import { createVaultEraser } from './erase-vault.ts'
import { createFollowUpErasures } from './follow-up-erasures.ts'
import { createPlaceHold, createReleaseHold, createSealHolds } from './hold-fields.ts'
import { createJournalSealer } from './journal-sealer.ts'
import { createLiftBlock, createWithdrawBlock } from './lift-block.ts'
import { mapErrors } from './map-errors.ts'
import { createOpenRequest } from './open-request.ts'
import { createPlanErasure } from './plan-erasure.ts'
import { createRaiseErasureAlert } from './raise-erasure-alert.ts'
import { createRederiveAggregates } from './rederive-aggregates.ts'
import { createClaimBatch, createSettleBatch } from './settle-batch.ts'
import { shipWal } from './ship-wal.ts'
import type { StoreEraser } from './store-eraser.ts'
import { createIngestHolder } from './with-ingest-held.ts'
import { createWithdrawStates } from './withdraw-states.ts'
import { createWriteJournal } from './write-journal.ts'

export interface ErasureDependencies {
  config: Config
  logger: Logger
  /** Milliseconds since 1970. */
  now(): number
  /** Database `ebb`, by a pool whose statements may take minutes. */
  postgres: TransactingPostgres
  keyring: Keyring
  provider: KeyProvider
  clickhouse: ClickHouseClient
  s3: S3
  states: SubjectStatePublisher
  revocations: RevocationPublisher
  readIngestProgress(): Promise<IngestProgress[]>
  client: Client
  /** Workflow id of the shared batch. */
  batchWorkflowId: string
  reportsFolder: string
}

export type PlatformErasureActivities = ErasureActivities & ErasureBatchActivities & FollowUpActivities

/** Every side effect of the erasure workflows but the verifier's. What they throw is mapped to closed codes. */
export function createErasureActivities(deps: ErasureDependencies): PlatformErasureActivities {
  const { config, logger, postgres, client } = deps
  const { largestRewriteBytes } = config.privacy
  const keys = {
    ...deps,
    keyringUrl: config.postgres.keyringUrl,
    // No backup opens once an old key is gone, so what replaces it is in the bucket first.
    beforeDestroying: async () => void (await shipWal(deps)),
  }
  const shared = { ...deps, destroyKey: createKeyDestroyer({ ...keys, largestRewriteBytes }) }
  const batch = {
    client,
    taskQueue: config.temporal.taskQueue,
    workflowId: deps.batchWorkflowId,
    batchMs: config.privacy.batchMs,
  }
  const activities: PlatformErasureActivities = {
    openRequest: createOpenRequest(postgres),
    acceptEnding: async ({ requestId, ending }) => ({
      stands: await acceptEnding(postgres, requestId, ending),
    }),
    blockSubjects: createBlockSubjects(deps),
    awaitBlock: createAwaitBlock({ ...deps, leaseMs: config.privacy.leaseMs }),
    cancelRequest: createCancelRequest({ ...shared, withdrawBlock: createWithdrawBlock(deps) }),
    setState: async ({ requestId, state, store }) =>
      void (await setState(postgres, requestId, state, { store })),
    placeHold: createPlaceHold(shared),
    noteRelease: ({ requestId, holdId }) => noteRelease(postgres, requestId, holdId),
    sealHolds: createSealHolds(shared),
    releaseHold: createReleaseHold(shared),
    writeJournal: createWriteJournal({ ...deps, sealer: createJournalSealer(deps.provider) }),
    enqueue: createEnqueue(postgres, batch),
    liftBlock: createLiftBlock({ ...deps, suppressMs: config.privacy.suppressMs }),
    closeRequest: createCloseRequest(shared),
    withdrawStates: createWithdrawStates(deps),
    raiseErasureAlert: createRaiseErasureAlert(deps),
    claimBatch: createClaimBatch(postgres),
    planErasure: createPlanErasure(),
    eraseStore: createEraseStore({ ...deps, erasers: createErasers(deps) }),
    rederiveAggregates: createRederiveAggregates({
      ...deps,
      withIngestHeld: createIngestHolder(config, logger),
    }),
    destroySecrets: createDestroySecrets(keys),
    settleBatch: createSettleBatch(postgres, client),
    followUpErasures: createFollowUpErasures({
      ...deps,
      privacy: config.privacy,
      taskQueue: config.temporal.taskQueue,
      leaseMs: config.privacy.leaseMs,
    }),
  }
  return mapErrors(activities, logger)
}

/** One eraser for each store that the data map's plan can name. */
function createErasers(deps: ErasureDependencies): StoreEraser[] {
  const { config } = deps
  return [
    createClickHouseEraser(deps),
    createVaultEraser({ ...deps, largestRewriteBytes: config.privacy.largestRewriteBytes }),
    createArchiveEraser({
      ...deps,
      postgresUrl: config.postgres.url,
      collection: s3Collection(config, 'archive'),
    }),
    createExportsEraser(deps),
  ]
}
