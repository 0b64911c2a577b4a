import { createHash } from 'node:crypto'
import { canonicalJson } from '../certificates/canonical-json.ts'
import type { TransactingPostgres } from '../postgres/client.ts'
import { type DestroyDeps, destroySecrets } from '../postgres/destroy-secrets.ts'
import { rewriteTables } from '../postgres/erase-vault.ts'
import { writeReceipts } from '../postgres/erasure-queue.ts'
import { readTargets } from '../postgres/erasure-targets.ts'
import type { Keyring } from '../postgres/keyring.ts'
import { addProgressToAll } from '../postgres/privacy-requests.ts'
import type { ErasureBatchActivities } from '../schemas/erasure.ts'
import { beatWhile } from './beat-while.ts'
import { gatherCalls } from './gather-calls.ts'
import { requireBatch } from './settle-batch.ts'

export interface DestroyActivityDeps extends DestroyDeps {
  postgres: TransactingPostgres
  keyring: Keyring
  now(): number
}

/** Destroys the secrets of all people of the batch by rewrapping the survivors of their shards; the receipt names the keys. */
export function createDestroySecrets(deps: DestroyActivityDeps): ErasureBatchActivities['destroySecrets'] {
  return async ({ batchId }) => {
    const batch = await requireBatch(deps.postgres, batchId)
    const targets = await readTargets(deps, batch.requestIds)
    const subjectIds = targets.flatMap((target) => target.subjectIds)
    const destroyed = await beatWhile(() => destroySecrets(deps, subjectIds))
    const { destroyedKeys, goneByMs, shards } = destroyed
    await addProgressToAll(deps.postgres, batch.requestIds, { keysGoneByMs: goneByMs })
    await writeReceipts(deps.postgres, batch, {
      store: 'keyring',
      outcome: 'erased',
      method: subjectIds.length > 0 ? 'key-destroyed' : 'nothing-held',
      atMs: deps.now(),
      ids: destroyedKeys.slice(0, 200),
      evidenceHash: createHash('sha256').update(canonicalJson({ destroyedKeys, shards })).digest('hex'),
    })
  }
}

/** Requests close side by side: their keys are gathered for this long, since each run rewrites tables. */
const WINDOW_MS = 500

/** Destroys single keys of requests and holds, all that come together in one go, and what their rows leave in pages. */
export function createKeyDestroyer(
  deps: DestroyDeps & { postgres: TransactingPostgres; largestRewriteBytes: number },
): (id: string) => Promise<void> {
  return gatherCalls<string>(WINDOW_MS, async (ids) => {
    await destroySecrets(deps, ids)
    await rewriteTables(deps.postgres, ['privacy_requests', 'legal_holds'], deps.largestRewriteBytes)
  })
}
