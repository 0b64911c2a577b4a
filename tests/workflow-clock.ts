import { randomUUID } from 'node:crypto'
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client'
import { TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker, type WorkflowBundle } from '@temporalio/worker'
import { fetchTemporalTestServer } from '../services/temporal-test-server.ts'
import { bundleWorkflows } from '../workers/temporal/bundle-workflows.ts'
import { SEARCH_ATTRIBUTE_TYPES } from '../workers/temporal/ensure-search-attributes.ts'
import { quietTemporal } from '../workers/temporal/quiet-temporal.ts'
import type { dailyEtl } from '../workflows/index.ts'
import type { Journal } from './call-journal.ts'
import { stubBackupActivities } from './stub-backup.ts'
import { type Script, stubEtlActivities } from './stub-etl.ts'
import { stubKeyActivities } from './stub-keys.ts'

export interface ClockedRun {
  journal: Journal
  handle: WorkflowHandleWithFirstExecutionRunId<typeof dailyEtl>
  /** Hours on the workflow's clock from start to end. */
  hours: number
}

export interface WorkflowClock {
  environment: TestWorkflowEnvironment
  bundle: WorkflowBundle
  /** Runs dailyEtl to its end, well or ill, over scripted activities; what it sleeps is skipped. */
  runDailyEtl(script: Script, day?: string): Promise<ClockedRun>
  /** A worker over scripted activities while `work` runs. */
  withWorker<T>(script: Script, work: (taskQueue: string, journal: Journal) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** The SDK gives the server five seconds, which a busy machine may not have for it. */
const STARTS = 40

async function startTestServer(path: string): Promise<TestWorkflowEnvironment> {
  for (let starts = 1; ; starts++) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping({
        server: { executable: { type: 'existing-path', path } },
      })
    } catch (error) {
      if (starts === STARTS) throw error
    }
  }
}

/**
 * A worker's workflows have a thread of their own otherwise, which loads the SDK anew: half a second of CPU for each worker. Here nobody
 * ends a workflow that never pauses; tests on the platform's own worker have the thread.
 */
export const IN_OUR_THREAD = { debugMode: true } as const

/** Temporal's test server with the workflows bundled once. */
export async function startWorkflowClock(): Promise<WorkflowClock> {
  quietTemporal()
  const path = await fetchTemporalTestServer()
  const [environment, bundle] = await Promise.all([startTestServer(path), bundleWorkflows()])
  // The test server cannot list what it knows, so ensureSearchAttributes cannot ask it.
  await environment.connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: SEARCH_ATTRIBUTE_TYPES,
  })

  const withWorker: WorkflowClock['withWorker'] = async (script, work) => {
    const taskQueue = randomUUID()
    const { activities, journal } = stubEtlActivities(script)
    const worker = await Worker.create({
      ...IN_OUR_THREAD,
      connection: environment.nativeConnection,
      taskQueue,
      workflowBundle: bundle,
      activities: {
        ...activities,
        ...stubKeyActivities(script.keys ?? {}, journal),
        ...stubBackupActivities(script.backup ?? {}, journal),
      },
      identity: 'test',
    })
    return await worker.runUntil(work(taskQueue, journal))
  }
  return {
    environment,
    bundle,
    withWorker,
    runDailyEtl: (script, day = '2026-11-20') =>
      withWorker(script, async (taskQueue, journal) => {
        const handle = await environment.client.workflow.start<typeof dailyEtl>('dailyEtl', {
          taskQueue,
          workflowId: randomUUID(),
          args: [{ day }],
        })
        await handle.result().catch(() => undefined)
        const { startTime, closeTime } = await handle.describe()
        return { journal, handle, hours: (closeTime!.getTime() - startTime.getTime()) / 3_600_000 }
      }),
    close: () => environment.teardown(),
  }
}
