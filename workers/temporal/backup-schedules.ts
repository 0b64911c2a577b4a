import { type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client'
import { BACKUP_HOUR_UTC } from '../../schemas/backup.ts'
import { ETL_HOUR_UTC } from '../../schemas/etl.ts'
import { WORKFLOW_DETAILS } from '../../schemas/workflow-details.ts'
import { archiveDayScheduleId, backupScheduleId, shipWalScheduleId } from './workflow-ids.ts'

/** At the half hour after the daily ETL, which has waited until ingest had passed the day. */
const ARCHIVE_MINUTE = 30

/**
 * The log is copied every two minutes, so that at most some three minutes of Postgres are lost with its disk (five are
 * promised); a run that was missed is not made up for, the next one copies all.
 */
const SHIP_EVERY = '2 minutes'

export function backupSchedules(taskQueue: string): ScheduleOptions[] {
  const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '3 days' } as const
  const daily = (
    scheduleId: string,
    workflowType: 'archiveDay' | 'backup',
    time: { hour: number; minute: number },
    staticSummary: string,
  ): ScheduleOptions => ({
    scheduleId,
    spec: { calendars: [{ ...time, comment: 'every day, UTC' }], timezone: 'UTC' },
    action: {
      type: 'startWorkflow',
      workflowType,
      workflowId: scheduleId,
      args: [{}],
      taskQueue,
      workflowExecutionTimeout: '20h',
      staticSummary,
      staticDetails: WORKFLOW_DETAILS[workflowType],
    },
    policies,
  })
  return [
    daily(
      archiveDayScheduleId(taskQueue),
      'archiveDay',
      { hour: ETL_HOUR_UTC, minute: ARCHIVE_MINUTE },
      'Archive of the day before',
    ),
    daily(
      backupScheduleId(taskQueue),
      'backup',
      { hour: BACKUP_HOUR_UTC, minute: 0 },
      'Backups of ClickHouse, Postgres and the keyring',
    ),
    {
      scheduleId: shipWalScheduleId(taskQueue),
      spec: { intervals: [{ every: SHIP_EVERY }] },
      action: {
        type: 'startWorkflow',
        workflowType: 'shipWal',
        workflowId: shipWalScheduleId(taskQueue),
        args: [],
        taskQueue,
        workflowExecutionTimeout: '1h',
        staticSummary: 'Copy of Postgres’s log, and expiry of backups',
        staticDetails: WORKFLOW_DETAILS.shipWal,
      },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '2 minutes' },
    },
  ]
}
