import { Client } from '@temporalio/client'
import type { Config } from '../runtime/config.ts'
import { EbbError } from '../runtime/errors.ts'
import { inLanes } from '../runtime/in-lanes.ts'
import type { DailyEtlResult, ReportResult } from '../schemas/etl.ts'
import { WORKFLOW_DETAILS } from '../schemas/workflow-details.ts'
import {
  businessReportWorkflowId,
  dailyEtlWorkflowId,
  monthlyTrendsWorkflowId,
} from '../workers/temporal/workflow-ids.ts'
import type { businessReport, dailyEtl, monthlyTrends } from '../workflows/index.ts'
import { awaitWorkflow } from './await-workflow.ts'
import { connectTemporal } from './connect-temporal.ts'

/** Days that are worked on at a time; each is a scan of ClickHouse. */
const DAYS_AT_ONCE = 2

export interface EtlClient {
  /** Starts the day's ETL, or joins the run that is under way. @returns the workflow's id. */
  start(day: string): Promise<string>
  /** Starts or joins, and waits. @throws EbbError `etl_failed` with the step's code and message. */
  run(day: string): Promise<DailyEtlResult>
  /** Runs several days, two at a time, oldest first; one day's failure leaves the others going. */
  runAll(days: string[], onDay: (day: string, outcome: DailyEtlResult | EbbError) => void): Promise<void>
  report(day: string): Promise<ReportResult>
  trends(month: string): Promise<ReportResult>
  close(): Promise<void>
}

/**
 * Talks to Temporal for the command line and the demo. The work itself is the Temporal worker's.
 * @throws EbbError `temporal_unreachable`
 */
export async function connectEtl(config: Config): Promise<EtlClient> {
  const { address, namespace, taskQueue } = config.temporal
  const connection = await connectTemporal(address)
  const client = new Client({ connection, namespace })
  // A day that runs already is joined, not failed; a day that ran before is run again.
  const common = { taskQueue, workflowIdConflictPolicy: 'USE_EXISTING' } as const

  const startDay = (day: string) =>
    client.workflow.start<typeof dailyEtl>('dailyEtl', {
      ...common,
      workflowId: dailyEtlWorkflowId(taskQueue, day),
      args: [{ day }],
      workflowExecutionTimeout: '20h',
      staticSummary: `Daily ETL of ${day}, asked for by hand`,
      staticDetails: WORKFLOW_DETAILS.dailyEtl,
    })
  const run = async (day: string): Promise<DailyEtlResult> => {
    const handle = await startDay(day)
    return await awaitWorkflow(`ETL of ${day}`, 'etl_failed', handle.result())
  }
  return {
    start: async (day) => (await startDay(day)).workflowId,
    run,
    async runAll(days, onDay) {
      await inLanes(days, DAYS_AT_ONCE, async (day) => {
        const outcome = await run(day).catch((error) => error)
        if (outcome instanceof Error && !(outcome instanceof EbbError)) throw outcome
        onDay(day, outcome)
      })
    },
    async report(day) {
      const handle = await client.workflow.start<typeof businessReport>('businessReport', {
        ...common,
        workflowId: businessReportWorkflowId(taskQueue, day),
        args: [{ period: day }],
        staticSummary: `Business report ${day}, asked for by hand`,
        staticDetails: WORKFLOW_DETAILS.businessReport,
      })
      return await awaitWorkflow(`report of ${day}`, 'etl_failed', handle.result())
    },
    async trends(month) {
      const handle = await client.workflow.start<typeof monthlyTrends>('monthlyTrends', {
        ...common,
        workflowId: monthlyTrendsWorkflowId(taskQueue, month),
        args: [{ period: month }],
        staticSummary: `Monthly trends ${month}, asked for by hand`,
        staticDetails: WORKFLOW_DETAILS.monthlyTrends,
      })
      return await awaitWorkflow(`trends of ${month}`, 'etl_failed', handle.result())
    },
    close: () => connection.close(),
  }
}
