import { condition } from '@temporalio/workflow'
import type { KnownHold } from '../schemas/erasure.ts'
import { steps } from './erasure-activities.ts'
import type { Saga } from './saga.ts'

/**
 * Holds outlive a run that somebody terminated: the law's reason does not end with it. What officers say to this run is newer
 * than what was read for it. A released one is released once more, in case that its key still stands.
 */
export function recallHolds({ desk }: Saga, known: readonly KnownHold[]): void {
  for (const { holdId, untilMs, released } of known) {
    if (!desk.holds.has(holdId)) desk.holds.set(holdId, { untilMs, released })
  }
}

/** @returns whether anything is held. Holds that were released before are never sealed. */
export async function sealHolds({ requestId, track, desk }: Saga): Promise<boolean> {
  for (const [holdId, hold] of desk.holds) {
    if (!hold.released) continue
    await steps.releaseHold({ holdId })
    desk.holds.delete(holdId)
  }
  const { holds } = await track.step(
    'sealing held fields',
    () => steps.sealHolds.executeWithOptions({ summary: 'Under a key of the hold' }, [{ requestId }]),
    (sealed) => `${sealed.holds.length} holds`,
  )
  return holds.length > 0
}

/** Each hold ends at its own date, by a timer, or when an officer releases it. */
export async function awaitHolds({ desk, track }: Saga): Promise<void> {
  track.say('held by law')
  await Promise.all(
    [...desk.holds].map(async ([holdId, hold]) => {
      if (hold.untilMs > Date.now()) await condition(() => hold.released, hold.untilMs - Date.now())
      hold.released = true
      await release(holdId)
    }),
  )
}

/**
 * Releases the holds that are over, and lets the others stand. The verifier's clock may be ahead of ours, and it names no hold
 * in its last second: where none is over here yet, the first is waited for, so that none ends before its date.
 */
export async function releaseEndedHolds({ desk, track }: Saga): Promise<void> {
  track.say('a hold is over')
  const ended = () => [...desk.holds].filter(([, hold]) => hold.released || hold.untilMs <= Date.now())
  while (ended().length === 0) {
    const firstMs = Math.min(...[...desk.holds.values()].map((hold) => hold.untilMs))
    await condition(() => ended().length > 0, firstMs - Date.now())
  }
  await Promise.all(
    ended().map(async ([holdId, hold]) => {
      hold.released = true
      await release(holdId)
      desk.holds.delete(holdId)
    }),
  )
}

async function release(holdId: string): Promise<void> {
  await steps.releaseHold.executeWithOptions({ summary: 'The key of the hold is destroyed' }, [{ holdId }])
}
