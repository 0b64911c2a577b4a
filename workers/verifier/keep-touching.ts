import { setTimeout as sleep } from 'node:timers/promises'
import { touchTopics } from '../../kafka/touch-topics.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'

const LONGEST_PAUSE_MS = 10 * 60_000
const SHORTEST_PAUSE_MS = 1_000

/**
 * Touches the compacted topics again and again, at least twice in a segment's time: what was withdrawn leaves the disk by steps,
 * and each needs a record that comes after its time, also on a platform where nothing else happens.
 */
export function keepTouching(config: Config, logger: Logger): { stop(): Promise<void> } {
  const over = new AbortController()
  const pauseMs = Math.min(
    LONGEST_PAUSE_MS,
    Math.max(SHORTEST_PAUSE_MS, config.privacy.eventsRetentionMs / 2),
  )
  const touch = async () => {
    while (!over.signal.aborted) {
      await sleep(pauseMs, undefined, { signal: over.signal }).catch(() => undefined)
      if (over.signal.aborted) return
      await touchTopics(config, logger).catch((error: Error) => {
        logger.warn({ error: error.name }, 'the compacted topics cannot be touched')
      })
    }
  }
  const touching = touch()
  return {
    async stop() {
      over.abort()
      await touching
    },
  }
}
