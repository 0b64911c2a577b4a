import type { OpenedTarget } from '../postgres/erasure-targets.ts'
import type { StoreReceipt } from '../schemas/erasure.ts'

export type ErasureTarget = OpenedTarget

export interface ErasureBatch {
  batchId: string
  targets: ErasureTarget[]
}

/**
 * Takes the people of a whole batch out of one store, once for all of them. May be repeated at any point; a repeat that
 * finds nothing gives a receipt all the same. What it throws means that the store could not be reached or did not finish.
 */
export interface StoreEraser {
  /** Name as in receipts: `clickhouse/events`, `postgres/vault`. */
  store: string
  erase(batch: ErasureBatch): Promise<StoreReceipt>
}
