import { ApplicationFailure, defineSearchAttributeKey } from '@temporalio/common'
import { workflowInfo } from '@temporalio/workflow'
import { addDays, addMonths, dayOf, isDay, isMonth, monthOf } from '../schemas/day.ts'

const scheduledStart = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME')

/**
 * The time the schedule meant, not the time the run began: a run that an outage delayed past midnight still works
 * on its own day, and a backfilled one on the day it was backfilled for. Without a schedule, the run's start.
 */
function scheduledTime(): number {
  const { typedSearchAttributes, startTime } = workflowInfo()
  return (typedSearchAttributes.get(scheduledStart) ?? startTime).getTime()
}

/** The day (UTC) that the schedule meant. */
export function scheduledDay(): string {
  return dayOf(scheduledTime())
}

/** The given day, or yesterday (UTC) by the schedule's time. @throws ApplicationFailure `bad_period`, not retried. */
export function dayOrYesterday(day: string | undefined): string {
  if (day === undefined) return addDays(dayOf(scheduledTime()), -1)
  if (!isDay(day)) throw ApplicationFailure.nonRetryable('day must be a date as YYYY-MM-DD', 'bad_period')
  return day
}

/** The given month, or the last one by the schedule's time. @throws ApplicationFailure `bad_period`, not retried. */
export function monthOrLast(month: string | undefined): string {
  if (month === undefined) return addMonths(monthOf(dayOf(scheduledTime())), -1)
  if (!isMonth(month)) throw ApplicationFailure.nonRetryable('month must be YYYY-MM', 'bad_period')
  return month
}
