import { proxyActivities } from '@temporalio/workflow'
import type { EtlActivities } from '../schemas/etl.ts'

/**
 * Time-outs and retries, argued. All activities may be repeated, so retries are bounded by time and not by count: an
 * engine that is away for an hour costs the run an hour. Failures that no retry mends are marked so where they are thrown.
 */
const retry = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' } as const

/** Small questions to one engine: seconds, so that a hung connection is given up early; three hours of outage are waited out. */
export const quick = proxyActivities<Pick<EtlActivities, 'observeIngestTargets' | 'raiseAlert'>>({
  startToCloseTimeout: '1m',
  scheduleToCloseTimeout: '3h',
  retry,
})

/**
 * Polls for up to five minutes and beats at every poll. Six missed beats mean a dead worker, and another one takes over
 * with nothing lost: targets come from the history.
 */
export const polling = proxyActivities<Pick<EtlActivities, 'awaitIngest'>>({
  startToCloseTimeout: '6m',
  heartbeatTimeout: '30s',
  scheduleToCloseTimeout: '3h',
  retry,
})

/**
 * Scans of a day or more of raw rows: a billion rows take minutes, so half an hour is an upper bound and not an
 * estimate. The beat runs beside the query and tells a dead worker (a minute) from a slow engine (left alone).
 */
export const heavy = proxyActivities<
  Pick<
    EtlActivities,
    | 'aggregateDay'
    | 'swapDay'
    | 'compareDay'
    | 'republishDirtyDays'
    | 'writeBusinessReport'
    | 'writeMonthlyTrends'
  >
>({ startToCloseTimeout: '30m', heartbeatTimeout: '1m', scheduleToCloseTimeout: '3h', retry })
