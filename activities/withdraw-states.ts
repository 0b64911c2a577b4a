import type { RevocationPublisher } from '../kafka/revocations.ts'
import type { SubjectStatePublisher } from '../kafka/subject-states.ts'
import type { TransactingPostgres } from '../postgres/client.ts'
import type { Keyring } from '../postgres/keyring.ts'
import { addProgress, readRequest, readSealed } from '../postgres/privacy-requests.ts'
import { faultPoint } from '../runtime/fault.ts'
import { isLeftOut } from '../runtime/left-out-purge.ts'
import type { ErasureActivities } from '../schemas/erasure.ts'
import { blockedByOthers, fromHex, readClock } from './publish-block.ts'

export interface WithdrawDeps {
  postgres: TransactingPostgres
  keyring: Keyring
  states: Pick<SubjectStatePublisher, 'withdraw' | 'withdrawLinked'>
  revocations: Pick<RevocationPublisher, 'withdrawAll'>
}

/** What a request remembers of the withdrawal, in `progress.withdrawn`. Milliseconds since 1970. */
export interface WithdrawnProgress {
  atMs: number
}

/**
 * Withdraws the cutoffs of the person's ids and gives the tokens back: no record and no late batch may come any more. It is noted
 * last, so that a repeat after a crash withdraws again; whoever waits for Kafka to forget counts from the note.
 */
export function createWithdrawStates(deps: WithdrawDeps): ErasureActivities['withdrawStates'] {
  return async ({ requestId }) => {
    if (await isWithdrawn(deps, requestId)) return
    if (!isLeftOut('state-withdrawal')) await withdraw(deps, requestId)
    const withdrawn: WithdrawnProgress = { atMs: await readClock(deps.postgres) }
    await addProgress(deps.postgres, requestId, { withdrawn })
  }
}

async function withdraw(deps: WithdrawDeps, requestId: string): Promise<void> {
  const { handles, subjects } = await readSealed(deps, requestId)
  const kept = await blockedByOthers(deps.postgres, requestId, handles)
  await deps.states.withdraw(requestId, handles.map(fromHex))
  await deps.states.withdrawLinked(handles.map(fromHex))
  faultPoint('withdraw.after-states')
  const tokens = subjects.filter(({ handle }) => !kept.has(handle)).map(({ token }) => fromHex(token))
  await deps.revocations.withdrawAll(tokens)
}

export async function isWithdrawn(deps: Pick<WithdrawDeps, 'postgres'>, requestId: string): Promise<boolean> {
  const { progress } = await readRequest(deps.postgres, requestId)
  return progress.withdrawn !== undefined
}
