import { randomUUID } from 'node:crypto'
import { WithStartWorkflowOperation } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { erasureStart } from '../../schemas/erasure-messages.ts'
import type { eraseSubject } from '../../workflows/index.ts'
import { type SagaHandle, withErasureWorkers } from '../erasure-clock.ts'
import {
  CLOSED,
  DAY,
  HOUR,
  holdUntil,
  hoursOf,
  mainLine,
  placeHold,
  refusal,
  untilStage,
} from '../saga-steps.ts'
import type { ErasureScript } from '../stub-erasure.ts'
import { startWorkflowClock, type WorkflowClock } from '../workflow-clock.ts'

// A saga that somebody terminated, and that is started again for the same request.
let clock: WorkflowClock
beforeAll(async () => {
  clock = await startWorkflowClock()
})
afterAll(() => clock?.close())

/** Runs a saga until `meanwhile` is over, terminates it, and gives what its second run does. */
async function runTwice(
  script: ErasureScript,
  meanwhile: (saga: SagaHandle) => Promise<unknown>,
  after: (saga: SagaHandle) => Promise<void> = async () => undefined,
  awayMs = 1_000,
) {
  return await withErasureWorkers(clock, script, async ({ startSaga, journal }) => {
    const requestId = randomUUID()
    const first = await startSaga(requestId)
    await meanwhile(first)
    await first.terminate()
    await clock.environment.sleep(awayMs)
    const calls = journal.length
    const second = await startSaga(requestId)
    await after(second)
    const { state } = await second.result()
    return { state, line: mainLine(journal.slice(calls)), hours: await hoursOf(second) }
  })
}

describe('a hold of a saga that is started again', () => {
  const place = (saga: SagaHandle, forMs: number) => placeHold(clock, saga, forMs)
  const ERASED = ['enqueue:erase', 'verifyAbsence', 'enqueue:destroy', 'verifyKeysGone']
  const HELD = [
    'sealHolds',
    'observeClosure',
    'writeJournal',
    'setState:erasing',
    ...ERASED,
    'certify:held',
    'liftBlock',
    'setState:held',
    'releaseHold',
    'supersede:hold-released',
    ...ERASED,
    'certify:certificate',
    'setState:certified',
    ...CLOSED,
  ]
  const fromSealing = (line: string[]) => line.slice(line.indexOf('sealHolds'))

  it('before anything was sealed, is sealed before anything is destroyed, and ends at its date', async () => {
    const { state, line, hours } = await runTwice({ graceMs: HOUR }, async (saga) => {
      await place(saga, 365 * DAY)
    })
    expect(fromSealing(line)).toEqual(HELD)
    expect(hours / 24).toBeGreaterThan(364)
    expect(state).toBe('closed')
  })

  it('while it stood sealed, still stands, and an officer can release it', async () => {
    let holdId = ''
    const { state, line, hours } = await runTwice(
      { graceMs: HOUR },
      async (saga) => {
        holdId = await place(saga, 365 * DAY)
        await clock.environment.sleep('3h')
        await untilStage(saga, /held by law/)
      },
      async (saga) => {
        await clock.environment.sleep('3h')
        await untilStage(saga, /held by law/)
        await saga.executeUpdate('releaseHold', { args: [{ holdId }] })
      },
    )
    expect(fromSealing(line)).toEqual(
      HELD.flatMap((step) => (step === 'releaseHold' ? ['noteRelease', step] : [step])),
    )
    expect(hours / 24).toBeLessThan(10)
    expect(state).toBe('closed')
  })

  it('and released in the grace window, is not taken up again', async () => {
    const { state, line } = await runTwice({ graceMs: HOUR }, async (saga) => {
      await untilStage(saga, /grace/)
      const holdId = await place(saga, 365 * DAY)
      await saga.executeUpdate('releaseHold', { args: [{ holdId }] })
    })
    expect(line).not.toContain('certify:held')
    const at = line.indexOf('releaseHold')
    expect(line.slice(at, at + 2)).toEqual(['releaseHold', 'sealHolds'])
    expect(state).toBe('closed')
  })

  it('and over by then, is released, and what it held is erased before the certificate', async () => {
    const { state, line, hours } = await runTwice(
      { graceMs: HOUR, dueMs: 30 * DAY, blocked: Array(24).fill(['s3/archive']) },
      async (saga) => {
        await place(saga, 2 * DAY)
        await clock.environment.sleep('1d')
        await untilStage(saga, /cannot be reached/)
      },
      undefined,
      3 * DAY,
    )
    expect(line).toContain('sealHolds')
    expect(line.slice(line.indexOf('certify:held'))).toEqual([
      'certify:held',
      'releaseHold',
      ...ERASED,
      'certify:certificate',
      'liftBlock',
      'setState:certified',
      ...CLOSED,
    ])
    expect(line).not.toContain('setState:stuck verifier')
    expect(hours / 24).toBeLessThan(5)
    expect(state).toBe('closed')
  })

  it('and released, but still named by a certificate, is released once more; what is certified names nothing', async () => {
    const failures: ErasureScript['failures'] = { supersede: { times: 99, code: 'log_unavailable' } }
    const { state, line } = await runTwice(
      { graceMs: HOUR, failures },
      async (saga) => {
        const holdId = await place(saga, 365 * DAY)
        await clock.environment.sleep('3h')
        await untilStage(saga, /held by law/)
        await saga.executeUpdate('releaseHold', { args: [{ holdId }] })
        await clock.environment.sleep('10s')
      },
      async () => {
        delete failures.supersede
      },
    )
    const at = line.indexOf('releaseHold')
    expect(line.slice(at, at + 2)).toEqual(['releaseHold', 'sealHolds'])
    // The verifier withdraws it by itself: tests/int/standing-certificate.test.ts.
    expect(line.slice(line.indexOf('certify:certificate'))).toEqual([
      'certify:certificate',
      'liftBlock',
      'setState:certified',
      ...CLOSED,
    ])
    expect(state).toBe('closed')
  })
})

const refuse = (saga: SagaHandle) =>
  saga.executeUpdate('refuse', { args: [{ article: 'GDPR Art. 12(6)', reason: 'identity-not-proven' }] })

describe('a saga that is terminated after an officer was told that the request ends, and started again', () => {
  const ASKS = [
    ['cancelled', (saga: SagaHandle) => saga.executeUpdate('cancel'), ['cancelRequest:cancelled']],
    [
      'refused',
      refuse,
      ['refuse:GDPR Art. 12(6) identity-not-proven', 'cancelRequest:refused GDPR Art. 12(6)'],
    ],
  ] as const

  it.each(ASKS)('ends it as the officer said, and nothing is erased: %s', async (outcome, ask, steps) => {
    const failures: ErasureScript['failures'] = { awaitBlock: { times: 99_999, code: 'block_pending' } }
    const { state, line } = await runTwice(
      { graceMs: HOUR, failures },
      async (saga) => {
        await untilStage(saga, /no row can be on its way/)
        await ask(saga)
      },
      async () => {
        delete failures.awaitBlock
      },
    )
    expect(line).not.toContain('observeClosure')
    expect(line).not.toContain('writeJournal')
    expect(line.slice(-steps.length)).toEqual(steps)
    expect(state).toBe(outcome)
  })

  it('erases the person where the officer was told nothing: the word came when the next run was past its journal', async () => {
    const script: ErasureScript = { graceMs: HOUR, horizons: { 's3/backups': 30 * DAY }, acceptedLate: true }
    const { state, line } = await runTwice(script, async (saga) => {
      await clock.environment.sleep('3h')
      await untilStage(saga, /expire/)
    })
    expect(line).toContain('certify:closed')
    expect(line).not.toContain('cancelRequest:cancelled')
    expect(state).toBe('closed')
  })

  it.each([
    ['cancels', (saga: SagaHandle) => saga.executeUpdate('cancel'), 'cancelled'],
    [
      'refuses for another reason',
      (saga: SagaHandle) =>
        saga.executeUpdate('refuse', { args: [{ article: 'GDPR Art. 17(3)(e)', reason: 'legal-claims' }] }),
      'refused',
    ],
  ] as const)(
    'and of two who end it at once, the second hears of the first: one %s',
    async (_, ask, outcome) => {
      const failures: ErasureScript['failures'] = {
        acceptEnding: { times: 3, code: 'postgres_unavailable' },
      }
      await withErasureWorkers(clock, { graceMs: HOUR, failures }, async ({ startSaga }) => {
        const saga = await startSaga()
        await untilStage(saga, /grace/)
        const answerOf = (update: Promise<unknown>) =>
          update.then(
            () => 'accepted',
            () => refusal(update),
          )
        const [first, second] = await Promise.all([answerOf(ask(saga)), answerOf(refuse(saga))])
        expect([first, second].toSorted()).toEqual(['accepted', 'too_late'])
        expect((await saga.result()).state).toBe(first === 'accepted' ? outcome : 'refused')
      })
    },
  )
})

describe('a saga that is terminated while it ends its request, and started again', () => {
  const ENDINGS = [
    ['cancelled', 'cancelRequest', (saga: SagaHandle) => saga.executeUpdate('cancel')],
    ['refused', 'cancelRequest', refuse],
    ['closed', 'closeRequest', async () => undefined],
  ] as const

  it.each(ENDINGS)('ends it the same way, and does nothing else: %s', async (outcome, step, ask) => {
    const failures: ErasureScript['failures'] = {
      [step]: { times: Number.POSITIVE_INFINITY, code: 'postgres_unavailable' },
    }
    const { state, line } = await runTwice(
      { graceMs: HOUR, failures },
      async (saga) => {
        await untilStage(saga, /grace/)
        await ask(saga)
        await clock.environment.sleep('62m')
      },
      async () => {
        delete failures[step]
      },
    )
    const last = { cancelled: `${step}:cancelled`, refused: `${step}:refused GDPR Art. 12(6)`, closed: step }
    // Its first attempts may still fail.
    expect([...new Set(line)]).toEqual(['openRequest', last[outcome]])
    expect(state).toBe(outcome)
  })
})

describe('what can be taken back of a saga that is started again', () => {
  const asksOf = (saga: SagaHandle, nowMs: number) => ({
    cancel: () => saga.executeUpdate('cancel'),
    refuse: () =>
      saga.executeUpdate('refuse', {
        args: [{ article: 'GDPR Art. 12(6)', reason: 'identity-not-proven' }],
      }),
    placeHold: () => saga.executeUpdate('placeHold', { args: [holdUntil(nowMs + 365 * DAY)] }),
  })
  const untilDestroyed = async (saga: SagaHandle) => {
    await clock.environment.sleep('3h')
    await untilStage(saga, /expire/)
  }

  it.each(['cancel', 'refuse', 'placeHold'] as const)(
    'is nothing once the journal was begun, not even in its first steps: %s',
    async (name) => {
      const { state, line } = await runTwice(
        { graceMs: HOUR, horizons: { 's3/backups': 30 * DAY } },
        untilDestroyed,
        async (saga) => {
          await untilStage(saga, /grace/)
          const nowMs = await clock.environment.currentTimeMs()
          expect(await refusal(asksOf(saga, nowMs)[name]())).toBe('too_late')
        },
      )
      expect(line).not.toContain('cancelRequest:cancelled')
      expect(state).toBe('closed')
    },
  )

  it('is all of it while nothing is in the journal', async () => {
    const { state, line } = await runTwice(
      { graceMs: HOUR },
      (saga) => untilStage(saga, /grace/),
      async (saga) => {
        await untilStage(saga, /grace/)
        await saga.executeUpdate('cancel')
      },
    )
    expect(line).not.toContain('writeJournal')
    expect(state).toBe('cancelled')
  })

  /** Starts a saga with an Update that it gets before it has read its request. */
  const cancelAtOnce = (requestId: string, taskQueue: string) =>
    clock.environment.client.workflow.executeUpdateWithStart('cancel', {
      startWorkflowOperation: new WithStartWorkflowOperation<typeof eraseSubject>(
        'eraseSubject',
        erasureStart(requestId, taskQueue),
      ),
    })

  it('of a hold, released before the request has been read, is decided then: another one is unknown', async () => {
    const failures: ErasureScript['failures'] = {}
    let holdId = ''
    const { state, line } = await runTwice(
      { graceMs: HOUR, failures },
      async (saga) => {
        holdId = await placeHold(clock, saga, 365 * DAY)
        failures.openRequest = { times: 4, code: 'postgres_unavailable' }
      },
      async (saga) => {
        const release = (id: string) => saga.executeUpdate('releaseHold', { args: [{ holdId: id }] })
        const [, other] = await Promise.all([release(holdId), refusal(release('another'))])
        expect(other).toBe('hold_unknown')
      },
    )
    expect(line).toContain('noteRelease')
    expect(line).not.toContain('certify:held')
    expect(state).toBe('closed')
  })

  it('is decided when the request has been read, for whoever asks before', async () => {
    const script = { graceMs: HOUR, horizons: { 's3/backups': 30 * DAY } }
    await withErasureWorkers(clock, script, async ({ startSaga, taskQueue, journal }) => {
      const [fresh, begun] = [randomUUID(), randomUUID()]
      await cancelAtOnce(fresh, taskQueue)
      expect(journal).not.toContain('writeJournal')

      const saga = await startSaga(begun)
      await untilDestroyed(saga)
      await saga.terminate()
      expect(await refusal(cancelAtOnce(begun, taskQueue))).toBe('too_late')
    })
  })
})
