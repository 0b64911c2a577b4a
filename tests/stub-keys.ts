import { ApplicationFailure } from '@temporalio/common'
import type { KeyActivities } from '../schemas/keys.ts'
import type { Journal } from './call-journal.ts'

export interface KeyScript {
  /** Shards with old keys. Default: all 65. */
  due?: number
  /** Attempts of the first rotateShards that fail. */
  failures?: number
}

/** Activities of the rotation that follow a script. */
export function stubKeyActivities(script: KeyScript, journal: Journal): KeyActivities {
  let failures = script.failures ?? 0
  return {
    async listDueShards() {
      journal.push('listDueShards')
      return { shards: Array.from({ length: script.due ?? 65 }, (_, shard) => shard) }
    },
    async rotateShards({ shards }) {
      journal.push(`rotateShards:${shards[0]}-${shards.at(-1)}`)
      if (failures > 0) {
        failures -= 1
        throw ApplicationFailure.create({ type: 'postgres_unavailable', message: 'as the script says' })
      }
      return { secrets: shards.length * 10, destroyedKeys: shards.length, goneByMs: Date.UTC(2026, 10, 28) }
    },
  }
}
