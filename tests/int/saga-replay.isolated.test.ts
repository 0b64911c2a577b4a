import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker, type WorkflowBundle } from '@temporalio/worker'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { bundleWorkflows } from '../../workers/temporal/bundle-workflows.ts'
import { ensureSearchAttributes } from '../../workers/temporal/ensure-search-attributes.ts'
import { quietTemporal } from '../../workers/temporal/quiet-temporal.ts'
import { type SagaHandle, withErasureWorkers } from '../erasure-clock.ts'
import type { History } from '../history-json.ts'
import { HOUR, holdUntil } from '../saga-steps.ts'
import type { ErasureScript, StubbedErasure } from '../stub-erasure.ts'

// The real server and the real workflow; what it does is scripted, so that one of its local steps can hang. A worker asks for another
// task of the workflow after eight seconds, and whatever was said meanwhile comes with that, before the step has ended.
let environment: TestWorkflowEnvironment
let bundle: WorkflowBundle
beforeAll(async () => {
  quietTemporal()
  const address = inject('engines').EBB_TEMPORAL_ADDRESS!
  environment = await TestWorkflowEnvironment.createFromExistingServer({ address })
  await ensureSearchAttributes(environment.connection, 'default')
  bundle = await bundleWorkflows()
})
afterAll(() => environment?.teardown())

type Step = 'setState' | 'enqueue'

/** Of one step the first call hangs, as it does on a database that gives no answer. */
function hanging(
  activities: StubbedErasure['activities'],
  { step, ms, onBegun }: { step: Step; ms: number; onBegun(): void },
): StubbedErasure['activities'] {
  const act = activities[step] as (input: never) => Promise<void>
  let calls = 0
  return {
    ...activities,
    async [step](input: never) {
      calls += 1
      if (calls === 1) {
        onBegun()
        await pause(ms)
      }
      await act(input)
    },
  }
}

async function placeHold(saga: SagaHandle): Promise<void> {
  await saga.executeUpdate('placeHold', { args: [holdUntil(Date.now() + HOUR)] })
}

interface Hang {
  step: Step
  ms: number
  /** What comes to the saga meanwhile. */
  meets: ('workflowExecutionUpdateAcceptedEventAttributes' | 'timerFiredEventAttributes')[]
  /** Tasks of the workflow that begin before it has ended, at least. */
  tasks: number
}

/** The constellation that is tested: all that came to the saga did so between the step's beginning and its end. @param from events before it */
function requireInMidst({ events }: History, from: number, { step, meets, tasks }: Hang): void {
  const isOfStep = (payload: { data?: Uint8Array | null }) =>
    Buffer.from(payload.data ?? []).includes(`"${step}"`)
  const since = (events ?? []).slice(from)
  const ended = since.findIndex(({ markerRecordedEventAttributes: marker }) =>
    Object.values(marker?.details ?? {}).some(({ payloads }) => payloads?.some(isOfStep)),
  )
  const meanwhile = since.slice(0, ended)
  expect(ended).toBeGreaterThan(0)
  for (const kind of meets) expect(meanwhile.filter((event) => event[kind])).not.toEqual([])
  const begun = meanwhile.filter((event) => event.workflowTaskStartedEventAttributes)
  expect(begun.length).toBeGreaterThanOrEqual(tasks)
}

/** Runs a saga to its end while one step hangs, and then once more from its history. @returns how it ended */
async function runAndReplay(
  script: ErasureScript,
  hang: Hang,
  meanwhile: (saga: SagaHandle) => Promise<void>,
): Promise<string> {
  const begun = new EventEmitter()
  const hangs = once(begun, 'begun')
  return await withErasureWorkers(
    { environment, bundle },
    script,
    async ({ startSaga }) => {
      const saga = await startSaga()
      try {
        await hangs
        const before = (await saga.fetchHistory()).events!.length
        await meanwhile(saga)
        const { state } = await saga.result()
        const history = await saga.fetchHistory()
        requireInMidst(history, before, hang)
        await Worker.runReplayHistory({ workflowBundle: bundle }, history, saga.workflowId)
        return state
      } finally {
        await saga.terminate().catch(() => undefined)
      }
    },
    (activities) => hanging(activities, { ...hang, onBegun: () => begun.emit('begun') }),
  )
}

const holdAndCancel = async (saga: SagaHandle) => {
  await placeHold(saga)
  await saga.executeUpdate('cancel')
}

const UPDATE = 'workflowExecutionUpdateAcceptedEventAttributes'
const TIMER = 'timerFiredEventAttributes'

// What an officer says went by a local step, too, once: the first of these could not be replayed then.
describe.concurrent('a saga goes the same way once more, although', () => {
  it('an officer spoke while it waited for the database', async () => {
    const hang: Hang = { step: 'setState', ms: 12_000, meets: [UPDATE], tasks: 1 }
    expect(await runAndReplay({ graceMs: 60_000 }, hang, holdAndCancel)).toBe('cancelled')
  })

  it('an officer spoke and the deadline passed while the database hung for longer than two tasks', async () => {
    const hang: Hang = { step: 'setState', ms: 18_500, meets: [UPDATE, TIMER], tasks: 2 }
    const script = { graceMs: 60_000, dueMs: 10_000 }
    expect(await runAndReplay(script, hang, holdAndCancel)).toBe('cancelled')
  })

  it('the database gave no answer within the time of a try', async () => {
    const hang: Hang = { step: 'setState', ms: 27_000, meets: [UPDATE, TIMER], tasks: 2 }
    const script = { graceMs: 60_000, dueMs: 12_500 }
    expect(await runAndReplay(script, hang, holdAndCancel)).toBe('cancelled')
  })

  it('the deadline passed while it stood in line', async () => {
    const hang: Hang = { step: 'enqueue', ms: 12_000, meets: [TIMER], tasks: 1 }
    expect(await runAndReplay({ dueMs: 6_000 }, hang, async () => undefined)).toBe('closed')
  })
})
