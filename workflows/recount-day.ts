import { ActivityFailure, ApplicationFailure } from '@temporalio/common'
import type { AggregateResult, CompareResult, SwapResult } from '../schemas/etl.ts'
import { heavy } from './etl-activities.ts'
import type { Tracker } from './track-progress.ts'

interface Counted {
  counted: AggregateResult
  /** Whether analysts see it: not before the day is over. */
  published: boolean
}

/** Aggregates the day from raw, serves the result and compares it with the live views. */
export async function recountDay(
  day: string,
  track: Tracker,
): Promise<Counted & { compared: CompareResult }> {
  const counted = await aggregateAndSwap(day, track)
  const compared = await track.step(
    'comparing with streaming',
    () => heavy.compareDay.executeWithOptions({ summary: 'Compare batch with streaming' }, [{ day }]),
    (result) => `${result.equal} rows equal, ${result.driftedCount} differ`,
  )
  return { ...counted, compared }
}

/**
 * Runs of one day share an id, so two never meet in staging; an attempt that was given up as timed out still may. The
 * swap notices and serves nothing, and the day is aggregated again.
 */
async function aggregateAndSwap(day: string, track: Tracker, attemptsLeft = 5): Promise<Counted> {
  const counted = await track.step(
    'counting from raw',
    () => heavy.aggregateDay.executeWithOptions({ summary: `Aggregate ${day} into staging` }, [{ day }]),
    (result) => `${result.events} events in ${result.rows} rows`,
  )
  try {
    const swapped = await track.step(
      'swapping the partition',
      () =>
        heavy.swapDay.executeWithOptions({ summary: `Replace partition ${day} at once` }, [
          { day, staged: counted.staged },
        ]),
      (result) => (isPublished(result) ? 'served' : 'served to reports only: the day is not over'),
    )
    return { counted, published: isPublished(swapped) }
  } catch (error) {
    if (attemptsLeft === 0 || !isStagingDirty(error)) throw error
    return aggregateAndSwap(day, track, attemptsLeft - 1)
  }
}

/** Runs that began before swaps had a result have nothing in its place; they published. */
function isPublished(swapped: SwapResult | undefined): boolean {
  return swapped?.published ?? true
}

function isStagingDirty(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === 'staging_dirty'
  )
}
