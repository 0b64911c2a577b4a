import type { TransactingPostgres } from '../postgres/client.ts'
import { writeReceipts } from '../postgres/erasure-queue.ts'
import { readTargets } from '../postgres/erasure-targets.ts'
import type { Keyring } from '../postgres/keyring.ts'
import { EbbError } from '../runtime/errors.ts'
import { faultPoint } from '../runtime/fault.ts'
import type { ErasureBatchActivities } from '../schemas/erasure.ts'
import { beatWhile } from './beat-while.ts'
import { requireBatch } from './settle-batch.ts'
import type { StoreEraser } from './store-eraser.ts'

export interface EraseStoreDeps {
  postgres: TransactingPostgres
  keyring: Keyring
  erasers: readonly StoreEraser[]
}

/**
 * Has one store's eraser do its work for the whole batch and keeps the receipt.
 * @throws EbbError `store_unknown` for a store that the data map names and nobody erases: its requests stay visibly blocked.
 */
export function createEraseStore(deps: EraseStoreDeps): ErasureBatchActivities['eraseStore'] {
  const erasers = new Map(deps.erasers.map((eraser) => [eraser.store, eraser]))
  return async ({ batchId, store }) => {
    const eraser = erasers.get(store)
    if (!eraser) throw new EbbError('store_unknown', `nobody erases ${store}`)
    const batch = await requireBatch(deps.postgres, batchId)
    const targets = await readTargets(deps, batch.requestIds)
    const receipt = await beatWhile(() => eraser.erase({ batchId, targets }))
    faultPoint('erase.before-receipt')
    await writeReceipts(deps.postgres, batch, receipt)
    return { outcome: receipt.outcome }
  }
}
