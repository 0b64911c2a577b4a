import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { INSERT_DEADLINE_MS } from './cut-metadata.ts'
import { type IngestProgress, readIngestProgress } from './read-ingest-progress.ts'
import { createRevocationPublisher } from './revocations.ts'

export type IngestHoldErrorCode = 'hold_not_granted'

/** How far the clocks of the holder and of an ingest member may be apart. */
const CLOCK_SLACK_MS = 2_000
const LOOK_MS = 200

export interface IngestHold {
  /**
   * Resolves once every partition has committed that it saw the hold and writes nothing, and once no earlier owner of one
   * may insert any more. @throws EbbError `hold_not_granted` when the time ran out first (ingest is away, or far behind)
   */
  waitHeld(): Promise<void>
  /** Milliseconds for which nothing is inserted yet, clocks considered: look before what must not meet an insert. */
  leftMs(): number
  /** Lets ingest go on. */
  release(): Promise<void>
}

/**
 * Stops all inserts into ClickHouse for a short time, so that what is derived again from the rows misses none and counts
 * none twice. One holder at a time: a second one's release would end the first one's hold.
 *
 * Why no insert slips through. A member that read past the hold starts no cut until `until`. One that declared a cut
 * before finishes and acknowledges it before its commit shows the hold; a dead one's cut is repeated by the next owner first.
 * A sleeping earlier owner may wake and insert its cut again: that is a repeat with a known token, but one that a
 * rebuilt table would not know, so the hold counts only once the insert deadline has passed since the partition
 * changed hands.
 * @param untilMs milliseconds since 1970; the hold ends then by itself, whatever became of the holder.
 */
export async function holdIngest(
  config: Config,
  logger: Logger,
  { untilMs }: { untilMs: number },
): Promise<IngestHold> {
  const publisher = await createRevocationPublisher(config, logger)
  const offset = Number(await publisher.hold(untilMs))
  const leftMs = () => Math.max(0, untilMs - CLOCK_SLACK_MS - Date.now())
  return {
    async waitHeld() {
      for (;;) {
        const quietAt = whenQuiet(await readIngestProgress(config, logger), offset, Date.now())
        if (quietAt !== undefined && quietAt + CLOCK_SLACK_MS <= untilMs) {
          await sleep(Math.max(0, quietAt - Date.now()))
          return
        }
        if (leftMs() === 0) throw new EbbError('hold_not_granted', 'ingest did not stop in time')
        await sleep(LOOK_MS)
      }
    },
    leftMs,
    async release() {
      await publisher.hold(0)
      await publisher.close()
    },
  }
}

/**
 * From when on no partition can be inserted into, milliseconds since 1970; undefined while one has not seen the hold.
 * @param offset the hold's in `revocations`
 */
export function whenQuiet(
  progress: readonly IngestProgress[],
  offset: number,
  now: number,
): number | undefined {
  let quietAt = now
  for (const { committed, metadata } of progress) {
    if (!metadata || metadata.rev <= offset || metadata.end !== committed) return undefined
    const zombiesUntil = (metadata.since ?? now) + INSERT_DEADLINE_MS + CLOCK_SLACK_MS
    quietAt = Math.max(quietAt, zombiesUntil)
  }
  return quietAt
}
