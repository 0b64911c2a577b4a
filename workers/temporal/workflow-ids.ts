import { addDays, addMonths } from '../../schemas/day.ts'
import { ETL_HOUR_UTC } from '../../schemas/etl.ts'

/** The task queue of an installation that does not choose one. */
const DEFAULT_TASK_QUEUE = 'ebb'

/** One hour after the last daily run, so that the month's last day is counted. */
export const TRENDS_HOUR_UTC = ETL_HOUR_UTC + 1

/** Installations may share a namespace; those with a task queue of their own put it before every id. */
function own(taskQueue: string, id: string): string {
  return taskQueue === DEFAULT_TASK_QUEUE ? id : `${taskQueue}.${id}`
}

export function dailyEtlScheduleId(taskQueue: string): string {
  return own(taskQueue, 'daily-etl')
}

export function monthlyTrendsScheduleId(taskQueue: string): string {
  return own(taskQueue, 'monthly-trends')
}

/**
 * The id that the schedule's own run of a day has (Temporal appends the scheduled time). Backfills take the same one,
 * so that Temporal itself lets no two runs of one day go at once.
 */
export function dailyEtlWorkflowId(taskQueue: string, day: string): string {
  return `${dailyEtlScheduleId(taskQueue)}-${addDays(day, 1)}T${hour(ETL_HOUR_UTC)}`
}

export function monthlyTrendsWorkflowId(taskQueue: string, month: string): string {
  return `${monthlyTrendsScheduleId(taskQueue)}-${addMonths(month, 1)}-01T${hour(TRENDS_HOUR_UTC)}`
}

export function businessReportWorkflowId(taskQueue: string, day: string): string {
  return own(taskQueue, `business-report-${day}`)
}

/** Temporal appends the time to a scheduled run's id; `ebb keys rotate` takes this one as it is. */
export function rotateKeysWorkflowId(taskQueue: string): string {
  return own(taskQueue, 'rotate-keys')
}

export function archiveDayScheduleId(taskQueue: string): string {
  return own(taskQueue, 'archive-day')
}

/** `ebb backup now` takes it as a workflow id, so that two backups never run at once by hand. */
export function backupScheduleId(taskQueue: string): string {
  return own(taskQueue, 'backup')
}

export function shipWalScheduleId(taskQueue: string): string {
  return own(taskQueue, 'ship-wal')
}

/** One shared batch at a time in an installation. */
export function eraseBatchWorkflowId(taskQueue: string): string {
  return own(taskQueue, 'erase-batch')
}

export function followUpErasuresId(taskQueue: string): string {
  return own(taskQueue, 'follow-up-erasures')
}

function hour(value: number): string {
  return `${String(value).padStart(2, '0')}:00:00Z`
}
