import { setTimeout as sleep } from 'node:timers/promises'
import { describeSafely } from './describe-safely.ts'
import { EbbError } from './errors.ts'
import type { Logger } from './logger.ts'

/** Mistakes that waiting does not mend. */
const FINAL = new Set(['postgres_not_durable', 'key_unwrap_failed', 'bad_config'])

/**
 * Starts something that needs an engine, again and again while the engine is away: the processes of a platform come up
 * in any order. @throws what `start` throws when it is not a matter of waiting, or when `patienceMs` are over
 */
export async function startWhenReady<Started>(
  logger: Logger,
  engine: string,
  start: () => Promise<Started>,
  patienceMs = 5 * 60_000,
): Promise<Started> {
  const endAt = Date.now() + patienceMs
  for (let waitMs = 100; ; waitMs = Math.min(2 * waitMs, 2_000)) {
    try {
      return await start()
    } catch (error) {
      const isFinal = error instanceof EbbError && FINAL.has(error.code)
      if (isFinal || Date.now() + waitMs > endAt) throw error
      logger.warn({ engine, err: describeSafely(error) }, 'waiting')
      await sleep(waitMs)
    }
  }
}
