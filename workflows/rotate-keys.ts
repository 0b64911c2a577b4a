import { proxyActivities, upsertMemo, workflowInfo } from '@temporalio/workflow'
import { dayOf } from '../schemas/day.ts'
import type { KeyActivities, RotateKeysResult } from '../schemas/keys.ts'
import { trackProgress } from './track-progress.ts'

/** Shards to an activity: it seals anew what some shards hold, and rewrites the keyring's tables once at its end. */
const SHARDS_AT_ONCE = 17

/**
 * A shard of 100,000 secrets takes seconds; half an hour is an upper bound. The beat comes with each shard. Days of outage
 * are waited out: a rotation that is late is no reason to give up.
 */
const keys = proxyActivities<KeyActivities>({
  startToCloseTimeout: '30m',
  heartbeatTimeout: '5m',
  scheduleToCloseTimeout: '3d',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
})

/**
 * Gives every shard of the keyring a new wrapping key and destroys the old ones. Secrets themselves never change, only what
 * wraps them. A shard that an erasure has rewrapped meanwhile is left out.
 */
export async function rotateKeys(): Promise<RotateKeysResult> {
  // The moment of the start says which keys are old, so that a repeated step rotates nothing twice.
  const before = workflowInfo().startTime.getTime()
  const track = trackProgress('Rotation of wrapping keys', dayOf(before))

  // 1. Which shards have a key from before this run?
  const due = await track.step(
    'looking for old keys',
    () => keys.listDueShards.executeWithOptions({ summary: 'Which shards have old keys?' }, [{ before }]),
    ({ shards }) => `${shards.length} shards`,
  )

  // 2. New keys for them, survivors sealed anew, old keys destroyed.
  let [secrets, destroyedKeys, goneByMs] = [0, 0, 0]
  for (let first = 0; first < due.shards.length; first += SHARDS_AT_ONCE) {
    const shards = due.shards.slice(first, first + SHARDS_AT_ONCE)
    const name = `shards ${shards[0]} to ${shards.at(-1)}`
    const rotated = await track.step(
      `rotating ${name}`,
      () => keys.rotateShards.executeWithOptions({ summary: `New keys for ${name}` }, [{ shards, before }]),
      (done) => `${done.secrets} secrets sealed anew, ${done.destroyedKeys} keys destroyed`,
    )
    secrets += rotated.secrets
    destroyedKeys += rotated.destroyedKeys
    goneByMs = Math.max(goneByMs, rotated.goneByMs)
  }
  upsertMemo({ shards: due.shards.length, secrets, destroyedKeys })
  track.say(`done, ${destroyedKeys} keys destroyed`)
  const goneBy = goneByMs > 0 ? new Date(goneByMs).toISOString() : null
  return { shards: due.shards.length, secrets, destroyedKeys, goneBy }
}
