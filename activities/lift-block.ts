import { DEFAULT_MAX_AGE_DAYS } from '../gate/admit-event.ts'
import { listApps } from '../postgres/apps.ts'
import { unblock } from '../postgres/block-subjects.ts'
import { addProgress, readRequest, readSealed } from '../postgres/privacy-requests.ts'
import type { ErasureActivities } from '../schemas/erasure.ts'
import { type BlockDeps, blockedByOthers, fromHex, readClock } from './publish-block.ts'

const DAY_MS = 86_400_000

export interface LiftBlockDeps extends BlockDeps {
  /** `privacy.suppressMs` of the configuration; undefined: the app's maximum age of events. */
  suppressMs: number | undefined
}

/** What a request remembers of its lifted block, in `progress.cutoff`. Milliseconds since 1970. */
export interface CutoffProgress {
  atMs: number
  /** The keyed hashes of the person's ids are kept until then, so that late batches are known. */
  untilMs: number
}

/**
 * The person may return, as somebody new: the block becomes a cutoff. Events up to now are not taken for as long as the
 * app would take events of that age from anyone. What another request says of the same ids stays said.
 */
export function createLiftBlock(deps: LiftBlockDeps): ErasureActivities['liftBlock'] {
  return async ({ requestId }) => {
    const { app, progress } = await readRequest(deps.postgres, requestId)
    // A saga that is started again after the states went: nobody would withdraw them a second time.
    if (progress.withdrawn !== undefined) return
    const { handles } = await readSealed(deps, requestId)
    const cutoff = (progress.cutoff as CutoffProgress | undefined) ?? (await makeCutoff(deps, app))
    await addProgress(deps.postgres, requestId, { cutoff })
    await deps.states.publish(requestId, handles.map(fromHex), {
      s: 'cutoff',
      at: cutoff.atMs,
      until: cutoff.untilMs,
    })
    await unblock(deps.postgres, requestId)
  }
}

async function makeCutoff(deps: LiftBlockDeps, app: string): Promise<CutoffProgress> {
  const atMs = await readClock(deps.postgres)
  const rules = (await listApps(deps.postgres)).find((one) => one.app === app)?.rules
  const suppressMs = deps.suppressMs ?? (rules?.maxAgeDays ?? DEFAULT_MAX_AGE_DAYS) * DAY_MS
  return { atMs, untilMs: atMs + suppressMs }
}

/**
 * Undoes a block within the grace window: marks go, states are withdrawn, and tokens that no other request blocks may be
 * stored again. Events that came meanwhile are lost: they were answered like anyone's and never taken.
 */
export function createWithdrawBlock(deps: BlockDeps): (requestId: string) => Promise<void> {
  return async (requestId) => {
    const { handles, subjects } = await readSealed(deps, requestId)
    const kept = await blockedByOthers(deps.postgres, requestId, handles)
    const tokens = subjects.filter(({ handle }) => !kept.has(handle)).map(({ token }) => fromHex(token))
    await deps.revocations.withdrawAll(tokens)
    await unblock(deps.postgres, requestId)
    await deps.states.withdraw(requestId, handles.map(fromHex))
  }
}
