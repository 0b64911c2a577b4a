import { readAffectedDays } from '../clickhouse/affected-days.ts'
import type { ClickHouseClient } from '../clickhouse/client.ts'
import { rederiveAggregates, type WithIngestHeld } from '../clickhouse/rederive-aggregates.ts'
import type { Postgres } from '../postgres/client.ts'
import { markDirtyDays } from '../postgres/dirty-days.ts'
import { readBatch, writeReceipts } from '../postgres/erasure-queue.ts'
import { EbbError } from '../runtime/errors.ts'
import type { ErasureBatchActivities } from '../schemas/erasure.ts'
import { beatWhile } from './beat-while.ts'
import { hashEvidence, MAX_RECEIPT_IDS } from './erase-clickhouse.ts'

export interface RederiveDeps {
  clickhouse: ClickHouseClient
  postgres: Postgres
  withIngestHeld: WithIngestHeld
}

/**
 * Counts the aggregates of the erased rows' days again, and marks the days for the daily swap, which alone changes what analysts see
 * of the past. The receipt `clickhouse/aggregates` names the partitions that were replaced.
 */
export function createRederiveAggregates(deps: RederiveDeps): ErasureBatchActivities['rederiveAggregates'] {
  return ({ batchId }) =>
    beatWhile(async () => {
      const { clickhouse, postgres } = deps
      const batch = await readBatch(postgres, batchId)
      if (!batch) throw new EbbError('batch_unknown', 'no request is in this batch')
      // Before, so that a crash leaves no day unmarked; and after, since a daily swap may take the mark off in between.
      await markDirtyDays(postgres, await readAffectedDays(clickhouse))
      const { days, partitions } = await rederiveAggregates(deps)
      await markDirtyDays(postgres, days)
      await writeReceipts(postgres, batch, {
        store: 'clickhouse/aggregates',
        outcome: 'erased',
        method: partitions.length > 0 ? 'rewritten' : 'nothing-held',
        atMs: Date.now(),
        ids: partitions.slice(0, MAX_RECEIPT_IDS),
        evidenceHash: hashEvidence({ batchId, days, partitions }),
      })
    })
}
