import { WorkflowFailedError } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { driftAttribute } from '../../workflows/track-progress.ts'
import { drifted, driftedRow, EQUAL } from '../stub-etl.ts'
import { startWorkflowClock, type WorkflowClock } from '../workflow-clock.ts'

let clock: WorkflowClock
beforeAll(async () => {
  clock = await startWorkflowClock()
})
afterAll(() => clock?.close())

const STEPS = ['aggregateDay:2026-11-20', 'swapDay:2026-11-20', 'compareDay:2026-11-20']

/** The failure's code: the type of the innermost cause. */
async function failureCode(result: Promise<unknown>): Promise<string> {
  const error = await result.then(
    () => {
      throw new Error('it did not fail')
    },
    (reason) => reason,
  )
  if (!(error instanceof WorkflowFailedError)) throw error
  let cause: Error = error
  while (cause.cause instanceof Error) cause = cause.cause
  return (cause as Error & { type: string }).type
}

describe('the daily ETL', () => {
  it('goes through its steps in order, once each', async () => {
    const { journal, handle } = await clock.runDailyEtl({})
    expect(await handle.result()).toMatchObject({
      day: '2026-11-20',
      rows: 12,
      events: 1500,
      driftedCount: 0,
      published: true,
    })
    expect(journal).toEqual([
      'observeIngestTargets:2026-11-20',
      'awaitIngest',
      ...STEPS,
      'writeBusinessReport:2026-11-20',
    ])
  })

  it('shows the days that erasures touched with its swap, once', async () => {
    const { journal, handle } = await clock.runDailyEtl({ dirtyDays: 3 })
    await handle.result()
    expect(journal.slice(2)).toEqual([...STEPS, 'republishDirtyDays', 'writeBusinessReport:2026-11-20'])
  })

  it('counts nothing before ingest has passed the day, and takes the targets once', async () => {
    const { journal, hours } = await clock.runDailyEtl({ behind: [900, 400, 10, 0] })
    expect(journal.slice(0, 6)).toEqual([
      'observeIngestTargets:2026-11-20',
      ...Array(4).fill('awaitIngest'),
      STEPS[0],
    ])
    expect(hours).toBeGreaterThan(3 / 60)
    expect(hours).toBeLessThan(0.2)
  })

  it('calls an operator once when ingest is half an hour behind, and goes on when it comes', async () => {
    const { journal, handle } = await clock.runDailyEtl({ behind: [...Array(50).fill(7), 0] })
    expect(journal.filter((call) => call.startsWith('raiseAlert'))).toEqual(['raiseAlert:ingest_behind:'])
    expect(journal.indexOf('raiseAlert:ingest_behind:')).toBeGreaterThanOrEqual(31)
    expect(await handle.result()).toMatchObject({ driftedCount: 0 })
  })

  it('gives up after six hours without having touched the served day', async () => {
    const { journal, handle, hours } = await clock.runDailyEtl({ behind: [7] })
    expect(await failureCode(handle.result())).toBe('ingest_behind')
    expect(hours).toBeGreaterThanOrEqual(6)
    expect(hours).toBeLessThan(6.2)
    expect(journal.some((call) => call.startsWith('aggregateDay'))).toBe(false)
  })

  it('alerts exactly the rows that still differ at a second look', async () => {
    const { journal, handle } = await clock.runDailyEtl({
      compared: [
        drifted(driftedRow('purchase', 10, 9), driftedRow('page_view', 500, 502)),
        drifted(driftedRow('purchase', 10, 9)),
      ],
    })
    expect(journal.filter((call) => call.startsWith('raiseAlert'))).toEqual(['raiseAlert:drift:purchase'])
    expect((await handle.result()).drifted).toEqual([driftedRow('purchase', 10, 9)])
    const { typedSearchAttributes } = await handle.describe()
    expect(typedSearchAttributes.get(driftAttribute)).toBe(true)
  })

  it('says of a day that is not over that it was counted and not published', async () => {
    const { handle } = await clock.runDailyEtl({ published: false })
    expect(await handle.result()).toMatchObject({ events: 1500, published: false })
  })

  it('does not call late events a drift', async () => {
    const { journal, handle } = await clock.runDailyEtl({
      compared: [drifted(driftedRow('page_view', 500, 502)), drifted(driftedRow('page_view', 503, 505))],
    })
    expect(journal.some((call) => call.startsWith('raiseAlert'))).toBe(false)
    expect(await handle.result()).toMatchObject({ driftedCount: 0, equal: 12 })
  })

  it('aggregates again when two attempts met in staging', async () => {
    const { journal, handle } = await clock.runDailyEtl({
      failures: { swapDay: { times: 2, code: 'staging_dirty', final: true } },
    })
    expect(journal.filter((call) => call.startsWith('aggregateDay'))).toHaveLength(3)
    expect(await handle.result()).toMatchObject({ driftedCount: 0 })
  })

  it('waits out an engine that is away', async () => {
    const { journal, handle } = await clock.runDailyEtl({
      failures: { aggregateDay: { times: 8, code: 'clickhouse_failed' } },
    })
    expect(journal.filter((call) => call.startsWith('aggregateDay'))).toHaveLength(9)
    expect(await handle.result()).toMatchObject({ events: 1500 })
  })

  it('alerts on drift also when the report cannot be written', async () => {
    const { journal, handle } = await clock.runDailyEtl({
      compared: [drifted(driftedRow('purchase', 10, 9))],
      failures: { writeBusinessReport: { times: 99, code: 'report_unwritable', final: true } },
    })
    expect(await failureCode(handle.result())).toBe('report_unwritable')
    expect(journal.at(-1)).toBe('raiseAlert:drift:purchase')
  })

  it.each([
    ['swapDay', 'swapping the partition'],
    ['republishDirtyDays', 'publishing the days that erasures touched'],
  ])('shows an operator that %s failed, and why, beside what did not', async (activity, stage) => {
    const failures = { [activity]: { times: 99, code: 'as_told', final: true } }
    await clock.withWorker({ failures, dirtyDays: 1 }, async (taskQueue) => {
      const handle = await clock.environment.client.workflow.start('dailyEtl', {
        taskQueue,
        workflowId: `failed-${activity}`,
        args: [{ day: '2026-11-20' }],
      })
      expect(await failureCode(handle.result())).toBe('as_told')
      const { currentDetails } = (await handle.query('__temporal_workflow_metadata')) as {
        currentDetails: string
      }
      expect(currentDetails).toMatch(/^- ✓ waiting for ingest: /m)
      expect(currentDetails.split('\n').at(-1)).toBe(`- ✗ ${stage}: as the script says`)
      expect(currentDetails).not.toContain('**')
    })
  })

  it('refuses a day that does not exist, at once', async () => {
    const { journal, handle } = await clock.runDailyEtl({}, '2026-02-30')
    expect(await failureCode(handle.result())).toBe('bad_period')
    expect(journal).toEqual([])
  })

  it('answers what it is doing while it waits', async () => {
    await clock.withWorker({ behind: [...Array(500).fill(7)], compared: [EQUAL] }, async (taskQueue) => {
      const handle = await clock.environment.client.workflow.start('dailyEtl', {
        taskQueue,
        workflowId: 'asked',
        args: [{ day: '2026-11-20' }],
      })
      await clock.environment.sleep('45m')
      expect(await handle.query('progress')).toEqual({
        period: '2026-11-20',
        stage: 'waiting for ingest, escalated',
        done: [],
      })
      await handle.terminate()
    })
  })
})
