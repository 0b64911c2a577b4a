import type { SubjectStatePublisher } from '../kafka/subject-states.ts'
import type { TransactingPostgres } from '../postgres/client.ts'
import { closeRow, forgetSealed } from '../postgres/close-request.ts'
import type { Keyring } from '../postgres/keyring.ts'
import { endHold } from '../postgres/legal-holds.ts'
import { listHolds } from '../postgres/list-holds.ts'
import { addProgress, readSealedMany } from '../postgres/privacy-requests.ts'
import { faultPoint } from '../runtime/fault.ts'
import type { S3 } from '../s3/client.ts'
import { purgeJournalEntry } from '../s3/journal.ts'
import type { ErasureActivities, RequestEnding } from '../schemas/erasure.ts'
import { isWithdrawn } from './withdraw-states.ts'

export interface CloseDeps {
  postgres: TransactingPostgres
  keyring: Keyring
  s3: S3
  states: Pick<SubjectStatePublisher, 'withdraw' | 'withdrawLinked'>
  /** Destroys secrets of the keyring by id, gathered, and rewrites the pages of the requests' table. */
  destroyKey(id: string): Promise<void>
}

/**
 * Every copy is gone: what Ebb kept to know that goes too. The row's sealed parts outlive the withdrawal of the states,
 * since a repeat needs the handles; `closed` is said last, when the key is gone.
 */
export function createCloseRequest(deps: CloseDeps): ErasureActivities['closeRequest'] {
  return async ({ requestId }) => {
    const sealed = (await readSealedMany(deps, [requestId])).get(requestId)
    if (sealed) {
      const handles = sealed.handles.map((handle) => Buffer.from(handle, 'hex'))
      // Withdrawn before `closed` was signed; once more would bring the keyed hashes back to the disk.
      if (!(await isWithdrawn(deps, requestId))) {
        await deps.states.withdraw(requestId, handles)
        await deps.states.withdrawLinked(handles)
      }
      await purgeJournalEntry(deps.s3, requestId)
    }
    faultPoint('close.before-row')
    await forgetSealed(deps.postgres, requestId)
    await deps.destroyKey(requestId)
    await closeRow(deps.postgres, requestId)
  }
}

export type CancelDeps = Pick<CloseDeps, 'postgres' | 'keyring' | 's3' | 'destroyKey'> & {
  withdrawBlock(requestId: string): Promise<void>
}

/**
 * The request ends before anything was destroyed: the block is withdrawn, and the request's own key goes. So does what an earlier
 * run has sealed under its holds: a later erasure of the same person would not look there.
 */
export function createCancelRequest(deps: CancelDeps): ErasureActivities['cancelRequest'] {
  return async ({ requestId, outcome, article }) => {
    // First, so that a saga that is started again knows how to end what it cannot read any more, and that no entry comes to
    // the journal after it is purged.
    const ending: RequestEnding = { outcome, ...(article && { article }) }
    await addProgress(deps.postgres, requestId, { ending })
    // A repeat after the sealed parts went has nothing left to withdraw.
    if ((await readSealedMany(deps, [requestId])).has(requestId)) await deps.withdrawBlock(requestId)
    // A terminated run may have begun the journal when the next one had already read that it had not.
    await purgeJournalEntry(deps.s3, requestId)
    // Released ones too: their keys may still stand.
    const holdIds = (await listHolds(deps.postgres, requestId)).map(({ holdId }) => holdId)
    for (const holdId of holdIds) await endHold(deps.postgres, holdId)
    await forgetSealed(deps.postgres, requestId)
    await Promise.all([requestId, ...holdIds].map(deps.destroyKey))
    await closeRow(deps.postgres, requestId, ending)
  }
}
