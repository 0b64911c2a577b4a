import type { StoreReceipt } from '../schemas/erasure.ts'

/** One request's person, as an eraser needs it. Never logged, never in a history. */
export interface ErasureTarget {
  requestId: string
  app: string
  /** 16 bytes each. */
  tokens: Buffer[]
  subjectIds: string[]
  /** 32 bytes each; also of ids that nobody bears. */
  handles: Buffer[]
}

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
