import { condition } from '@temporalio/workflow'
import type { Saga } from './erase-until-gone.ts'
import { steps } from './erasure-activities.ts'

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
      await steps.releaseHold.executeWithOptions({ summary: 'The key of the hold is destroyed' }, [
        { holdId },
      ])
    }),
  )
}
