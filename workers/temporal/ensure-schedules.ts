import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
  type Workflow,
} from '@temporalio/client'
import { ETL_HOUR_UTC } from '../../schemas/etl.ts'
import { ROTATION_DAYS } from '../../schemas/keys.ts'
import { WORKFLOW_DETAILS } from '../../schemas/workflow-details.ts'
import { backupSchedules } from './backup-schedules.ts'
import {
  dailyEtlScheduleId,
  followUpErasuresId,
  monthlyTrendsScheduleId,
  rotateKeysWorkflowId,
  TRENDS_HOUR_UTC,
} from './workflow-ids.ts'

/**
 * The schedules, as data. Policies: a run that is still going when the next is due is left alone and the next is skipped
 * (one day at a time: each may take hours behind a slow ingest); after an outage up to three days are caught up, each with
 * the time it was meant for. Catching up with SKIP starts missed days one by one only when the one before is done, so a
 * day may be left out; `ebb etl --from --to` fills it.
 */
function schedulesOf(taskQueue: string): ScheduleOptions[] {
  const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '3 days' } as const
  const daily: ScheduleOptions = {
    scheduleId: dailyEtlScheduleId(taskQueue),
    spec: { calendars: [{ hour: ETL_HOUR_UTC, comment: 'every day at 02:00 UTC' }], timezone: 'UTC' },
    action: {
      type: 'startWorkflow',
      workflowType: 'dailyEtl',
      // Temporal appends the scheduled time; cli/etl.ts builds the same id, so that a day never runs twice at once.
      workflowId: dailyEtlScheduleId(taskQueue),
      args: [{}],
      taskQueue,
      // Six hours of waiting for ingest, three of work, and time for an outage of the worker itself.
      workflowExecutionTimeout: '20h',
      staticSummary: 'Daily ETL of the day before',
      staticDetails: WORKFLOW_DETAILS.dailyEtl,
    },
    policies,
  }
  const trends: ScheduleOptions = {
    scheduleId: monthlyTrendsScheduleId(taskQueue),
    spec: {
      calendars: [{ dayOfMonth: 1, hour: TRENDS_HOUR_UTC, comment: 'first of the month at 03:00 UTC' }],
      timezone: 'UTC',
    },
    action: {
      type: 'startWorkflow',
      workflowType: 'monthlyTrends',
      workflowId: monthlyTrendsScheduleId(taskQueue),
      args: [{}],
      taskQueue,
      workflowExecutionTimeout: '20h',
      staticSummary: 'Trends of the month before',
      staticDetails: WORKFLOW_DETAILS.monthlyTrends,
    },
    policies,
  }
  const rotation: ScheduleOptions = {
    scheduleId: rotateKeysWorkflowId(taskQueue),
    spec: { intervals: [{ every: `${ROTATION_DAYS} days`, offset: '4h' }], timezone: 'UTC' },
    action: {
      type: 'startWorkflow',
      workflowType: 'rotateKeys',
      workflowId: rotateKeysWorkflowId(taskQueue),
      args: [],
      taskQueue,
      workflowExecutionTimeout: '7 days',
      staticSummary: 'Rotation of wrapping keys',
      staticDetails: WORKFLOW_DETAILS.rotateKeys,
    },
    // However long the outage: a rotation that was missed is made up for.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: `${ROTATION_DAYS} days` },
  }
  const followUp: ScheduleOptions = {
    scheduleId: followUpErasuresId(taskQueue),
    spec: { intervals: [{ every: '2 minutes' }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'followUpErasures',
      workflowId: followUpErasuresId(taskQueue),
      args: [],
      taskQueue,
      workflowExecutionTimeout: '10 minutes',
      staticSummary: 'Late links of erased people, requests that were never started',
      staticDetails: WORKFLOW_DETAILS.followUpErasures,
    },
    // One round finds all that earlier ones would have found.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '2 minutes' },
  }
  return [daily, trends, rotation, ...backupSchedules(taskQueue), followUp]
}

/**
 * Creates the schedules or brings existing ones to what this version says; an operator's pause and note are kept. Any
 * number of workers may call it at the same moment.
 */
export async function ensureSchedules(client: Client, taskQueue: string): Promise<void> {
  for (const options of schedulesOf(taskQueue)) {
    try {
      await client.schedule.create<Workflow>(options)
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error
      const { spec, policies, action } = options
      await client.schedule
        .getHandle(options.scheduleId)
        .update<Workflow>(({ state }) => ({ spec, policies, action, state }))
    }
  }
}
