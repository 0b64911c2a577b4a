import { Context } from '@temporalio/activity'
import type { Postgres } from '../postgres/client.ts'
import { type DestroyDeps, rewrapShards } from '../postgres/destroy-secrets.ts'
import { listDueShards } from '../postgres/list-shards.ts'
import type { Logger } from '../runtime/logger.ts'
import type { KeyActivities } from '../schemas/keys.ts'
import { mapErrors } from './map-errors.ts'

export interface KeyActivityDeps extends DestroyDeps {
  /** Database `keyring`. */
  keyrings: Pick<Postgres, 'query'>
  logger: Logger
}

/** The side effects of the rotation of wrapping keys. */
export function createKeyActivities(deps: KeyActivityDeps): KeyActivities {
  const activities: KeyActivities = {
    listDueShards: async ({ before }) => ({ shards: await listDueShards(deps.keyrings, before) }),
    async rotateShards({ shards, before }) {
      const { heartbeat } = Context.current()
      const wishes = shards.map((shard) => ({ shard, victims: [], renewBefore: before }))
      const done = await rewrapShards(deps, wishes, heartbeat)
      return {
        secrets: done.shards.reduce((sum, one) => sum + one.survivors, 0),
        destroyedKeys: done.destroyedKeys.length,
        goneByMs: done.goneByMs,
      }
    },
  }
  return mapErrors(activities, deps.logger)
}
