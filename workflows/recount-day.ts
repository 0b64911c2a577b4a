import { ActivityFailure, ApplicationFailure } from '@temporalio/common'
import type { AggregateResult, CompareResult } from '../schemas/etl.ts'
import { heavy } from './etl-activities.ts'
import type { Tracker } from './track-progress.ts'

/** Aggregates the day from raw, serves the result and compares it with the live views. */
export async function recountDay(
  day: string,
  track: Tracker,
): Promise<{ counted: AggregateResult; compared: CompareResult }> {
  const counted = await aggregateAndSwap(day, track)
  const compared = await track.step(
    'comparing with streaming',
    () => heavy.compareDay.executeWithOptions({ summary: 'Compare batch with streaming' }, [{ day }]),
    (result) => `${result.equal} rows equal, ${result.driftedCount} differ`,
  )
  return { counted, compared }
}

/**
 * Runs of one day share an id, so two never meet in staging; an attempt that was given up as timed out still may. The
 * swap notices and serves nothing, and the day is aggregated again.
 */
async function aggregateAndSwap(day: string, track: Tracker, attemptsLeft = 5): Promise<AggregateResult> {
  const counted = await track.step(
    'counting from raw',
    () => heavy.aggregateDay.executeWithOptions({ summary: `Aggregate ${day} into staging` }, [{ day }]),
    (result) => `${result.events} events in ${result.rows} rows`,
  )
  try {
    await track.step(
      'swapping the partition',
      () => heavy.swapDay.executeWithOptions({ summary: `Replace partition ${day} at once` }, [{ day }]),
      () => 'served',
    )
    return counted
  } catch (error) {
    if (attemptsLeft === 0 || !isStagingDirty(error)) throw error
    return aggregateAndSwap(day, track, attemptsLeft - 1)
  }
}

function isStagingDirty(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === 'staging_dirty'
  )
}
