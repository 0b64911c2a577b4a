import { ActivityFailure } from '@temporalio/common'
import {
  condition,
  continueAsNew,
  defineSignal,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow'
import type { ErasureStage } from '../schemas/erasure.ts'
import { ERASURE_MESSAGES, type EraseBatchInput, type WakeBatch } from '../schemas/erasure-messages.ts'
import { batching, shared } from './erasure-activities.ts'

export const wakeSignal = defineSignal<[WakeBatch]>(ERASURE_MESSAGES.wake)

/** One ClickHouse mutation costs the same for 1 and for 1,000 people. */
const MAX_REQUESTS = 1_000
/** Events after which a fresh run takes over. */
const LONG_HISTORY = 4_000

/**
 * Physical deletion, shared by all who wait. One runs at a time (its workflow id); the two stages go side by side, so that
 * those whose rows are gone do not wait behind the next ones' rows. Ends when nobody waits.
 */
export async function eraseBatch(input: EraseBatchInput): Promise<void> {
  const waiting = new Set<ErasureStage>(input.waiting ?? [])
  const running = new Set<ErasureStage>()
  setHandler(wakeSignal, ({ stage }) => {
    waiting.add(stage)
  })
  const startable = () => [...waiting].filter((stage) => !running.has(stage))
  let failure: unknown
  const start = (stage: ErasureStage) => {
    waiting.delete(stage)
    running.add(stage)
    runStage(stage, input.batchMs)
      // Whoever came while this batch ran is found by looking once more.
      .then((worked) => worked && waiting.add(stage))
      .catch((error) => {
        failure = error
      })
      .finally(() => running.delete(stage))
  }
  while (waiting.size + running.size > 0) {
    const isLong = workflowInfo().historyLength > LONG_HISTORY || workflowInfo().continueAsNewSuggested
    if (!isLong) for (const stage of startable()) start(stage)
    else if (running.size === 0)
      return await continueAsNew<typeof eraseBatch>({ ...input, waiting: [...waiting] })
    await condition(() => running.size === 0 || (!isLong && startable().length > 0))
    if (failure) throw failure
  }
}

/** @returns whether there was anything to do. */
async function runStage(stage: ErasureStage, batchMs: number): Promise<boolean> {
  // 1. Wait for company.
  if (batchMs > 0) await sleep(batchMs, { summary: `company for the next batch (${stage})` })
  // 2. Take all who wait, under one id; after a crash the same ones again.
  const batch = await batching.claimBatch.executeWithOptions({ summary: `Who waits (${stage})?` }, [
    { stage, max: MAX_REQUESTS },
  ])
  if (!batch) return false
  const { batchId, requests } = batch
  setCurrentDetails(`### Shared erasure\n- batch ${batchId}: ${requests} requests, stage ${stage}`)
  // 3. Erase every store of the data map side by side, or destroy the secrets.
  const blocked = stage === 'erase' ? await eraseStores(batchId) : await destroySecrets(batchId)
  // 4. Tell each request's saga.
  await batching.settleBatch.executeWithOptions({ summary: `${requests} requests go on` }, [
    { batchId, blocked },
  ])
  return true
}

/** @returns the stores that could not be reached: their requests are visibly blocked on them, and the batch goes on. */
async function eraseStores(batchId: string): Promise<string[]> {
  const { stores } = await batching.planErasure.executeWithOptions({ summary: 'Stores of the data map' }, [])
  const outcomes = await Promise.all(
    stores.map((store) =>
      unreachable(store, async () => {
        const { outcome } = await shared.eraseStore.executeWithOptions({ summary: store }, [
          { batchId, store },
        ])
        return outcome !== 'unreachable'
      }),
    ),
  )
  const blocked = outcomes.flatMap((store) => store ?? [])
  // Recounted from raw, so after raw is erased.
  const aggregates = blocked.includes('clickhouse/events')
    ? undefined
    : await unreachable('clickhouse/aggregates', async () => {
        await shared.rederiveAggregates.executeWithOptions({ summary: 'Aggregates, again from raw' }, [
          { batchId },
        ])
        return true
      })
  return aggregates ? [...blocked, aggregates] : blocked
}

async function destroySecrets(batchId: string): Promise<string[]> {
  const blocked = await unreachable('keyring', async () => {
    await shared.destroySecrets.executeWithOptions({ summary: 'Shards are rewrapped' }, [{ batchId }])
    return true
  })
  return blocked ? [blocked] : []
}

/** @returns the store's name where `work` gave up on it. */
async function unreachable(store: string, work: () => Promise<boolean>): Promise<string | undefined> {
  try {
    return (await work()) ? undefined : store
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error
    return store
  }
}
