import { condition } from '@temporalio/workflow'
import type { ErasureStage, Survivors } from '../schemas/erasure.ts'
import { brief, steps } from './erasure-activities.ts'
import type { Saga } from './saga.ts'

/** A batch that says nothing for so long has lost its workflow: the request is put in line again, which starts another. */
const BATCH_SILENCE = '15m'
const FIRST_PAUSE_MS = 10_000
const LONGEST_PAUSE_MS = 6 * 3_600_000

/**
 * Lets the shared batch do its stage and the verifier look; repeats until the verifier finds nothing. A store that is
 * away, or that holds something still, leaves the request visibly blocked on it, and is tried again with a growing pause.
 */
export async function repeatUntilGone(
  saga: Saga,
  stage: ErasureStage,
  verify: () => Promise<Survivors>,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const { blocked } = await runShared(saga, stage)
    const { found } = blocked.length > 0 ? { found: [] } : await verify()
    const store = blocked[0] ?? found[0]?.store
    if (store === undefined) {
      if (attempt > 0) await unblock(saga)
      return
    }
    await waitBlocked(saga, store, { attempt, survives: blocked.length === 0 })
  }
}

async function runShared({ requestId, desk, track }: Saga, stage: ErasureStage) {
  desk.batchDone.delete(stage)
  track.say(stage === 'erase' ? 'waiting for the shared erasure' : 'waiting for the destruction of the keys')
  for (;;) {
    await brief.enqueue({ requestId, stage })
    await condition(() => desk.batchDone.has(stage), BATCH_SILENCE)
    const done = desk.batchDone.get(stage)
    if (done) return done
  }
}

/** Waits for the pause to end or for an operator's `retryStore`. The first time on a store, somebody is told. */
export async function waitBlocked(
  { requestId, desk, track }: Saga,
  store: string,
  { attempt, survives }: { attempt: number; survives: boolean },
): Promise<void> {
  const isNew = track.status.blockedStore !== store
  track.blockedOn(store, !survives)
  desk.roundsBlocked += 1
  track.say(survives ? `something is left in ${store}` : `${store} cannot be reached`, 'stuck')
  if (isNew) {
    await brief.setState({ requestId, state: 'stuck', store })
    const kind = survives ? 'survivors' : 'store'
    await steps.raiseErasureAlert.executeWithOptions({ summary: `Alert: blocked on ${store}` }, [
      { requestId, kind, store },
    ])
  }
  desk.retryAsked = false
  await condition(() => desk.retryAsked, pauseAfter(attempt))
  desk.retryAsked = false
}

export async function unblock({ requestId, track }: Saga): Promise<void> {
  if (track.status.blockedStore === null) return
  track.blockedOn(null)
  track.say('erased at last', 'erasing')
  await brief.setState({ requestId, state: 'erasing' })
}

/** Ten seconds, doubling, six hours at most: a year of waiting still fits into one history. */
export function pauseAfter(attempt: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempt, 20), LONGEST_PAUSE_MS)
}
