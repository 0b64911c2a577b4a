import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ErasureStatus, PartialCertificate } from '../../schemas/erasure.ts'
import { blockedStoreAttribute, overdueAttribute } from '../../workflows/track-erasure.ts'
import { stageAttribute } from '../../workflows/track-progress.ts'
import { type ErasureClock, type SagaHandle, withErasureWorkers } from '../erasure-clock.ts'
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

let clock: WorkflowClock
beforeAll(async () => {
  clock = await startWorkflowClock()
})
afterAll(() => clock?.close())

const FIRST_CERTIFICATE = [
  'observeClosure',
  'writeJournal',
  'setState:erasing',
  'enqueue:erase',
  'verifyAbsence',
  'enqueue:destroy',
  'verifyKeysGone',
  'certify:certificate',
  'liftBlock',
  'setState:certified',
]
/** Runs a saga to its end and gives its calls, and hours on its clock. */
async function runSaga(script: ErasureScript, meanwhile?: (saga: SagaHandle) => Promise<void>) {
  return await withErasureWorkers(clock, script, async (erasure) => {
    const saga = await erasure.startSaga()
    await meanwhile?.(saga)
    const result = await saga.result()
    return { result, hours: await hoursOf(saga), saga, journal: erasure.journal }
  })
}

describe('an erasure', () => {
  it('goes through its steps in order, once each', async () => {
    const { journal, result } = await runSaga({})
    expect(mainLine(journal)).toEqual([
      'openRequest',
      'blockSubjects',
      'setState:blocked',
      'awaitBlock',
      ...FIRST_CERTIFICATE,
      ...CLOSED,
    ])
    expect(journal.indexOf('logReceived')).toBeLessThan(journal.indexOf('observeClosure'))
    expect(result).toMatchObject({ state: 'closed', logIndex: 2 })
  })

  it('blocks while the log is away, and destroys nothing before its leaf is written', async () => {
    const { journal } = await runSaga({ failures: { logReceived: { times: 6, code: 'log_unavailable' } } })
    expect(journal.indexOf('blockSubjects')).toBeLessThan(journal.lastIndexOf('logReceived'))
    expect(journal.lastIndexOf('logReceived')).toBeLessThan(journal.indexOf('observeClosure'))
  })

  it('waits for the barrier as long as it takes', async () => {
    const { journal } = await runSaga({ failures: { awaitBlock: { times: 30, code: 'block_pending' } } })
    expect(journal.filter((call) => call === 'awaitBlock')).toHaveLength(31)
    expect(mainLine(journal).slice(-CLOSED.length)).toEqual(CLOSED)
  })

  it('retries without end after the journal', async () => {
    const { journal, hours } = await runSaga({
      failures: { liftBlock: { times: 120, code: 'postgres_unavailable' } },
    })
    expect(journal.filter((call) => call === 'liftBlock')).toHaveLength(121)
    expect(hours).toBeGreaterThan(1.5)
  })

  it('stands in line again when the batch says nothing', async () => {
    const { journal, hours } = await runSaga({ silences: 2 })
    expect(journal.filter((call) => call === 'enqueue:erase')).toHaveLength(3)
    expect(hours).toBeGreaterThan(0.4)
  })

  it('is not stopped by a cancellation from outside', async () => {
    const { result } = await runSaga({ graceMs: HOUR }, async (saga) => {
      await untilStage(saga, /grace/)
      await saga.cancel()
    })
    expect(result.state).toBe('closed')
  })

  it('hears officers after one, too', async () => {
    const { journal, result } = await runSaga({ graceMs: HOUR }, async (saga) => {
      await untilStage(saga, /grace/)
      await saga.cancel()
      const holdId = await placeHold(clock, saga, 365 * DAY)
      await saga.executeUpdate('releaseHold', { args: [{ holdId }] })
      await saga.executeUpdate('cancel')
      expect(await refusal(saga.executeUpdate('releaseHold', { args: [{ holdId }] }))).toBe('too_late')
    })
    expect(journal).toContain('noteRelease')
    expect(result.state).toBe('cancelled')
  })
})

describe('grace', () => {
  it('is waited out', async () => {
    const { hours } = await runSaga({ graceMs: 5 * HOUR })
    expect(hours).toBeGreaterThan(4.9)
  })

  it('ends with a cancellation, and nothing was destroyed', async () => {
    const { journal, result, hours } = await runSaga({ graceMs: 5 * HOUR }, async (saga) => {
      await untilStage(saga, /grace/)
      await saga.executeUpdate('cancel')
    })
    expect(result.state).toBe('cancelled')
    expect(journal.at(-1)).toBe('cancelRequest:cancelled')
    expect(journal).not.toContain('writeJournal')
    expect(hours).toBeLessThan(4)
  })

  it('ends with a refusal, signed and logged', async () => {
    const { journal, result } = await runSaga({ graceMs: 5 * HOUR }, async (saga) => {
      await untilStage(saga, /grace/)
      expect(await refusal(saga.executeUpdate('refuse', { args: [{ article: '', reason: 'no' }] }))).toBe(
        'invalid_message',
      )
      await saga.executeUpdate('refuse', {
        args: [{ article: 'GDPR Art. 12(6)', reason: 'identity-not-proven' }],
      })
    })
    expect(result).toMatchObject({ state: 'refused', logIndex: 1 })
    expect(journal.slice(-2)).toEqual([
      'refuse:GDPR Art. 12(6) identity-not-proven',
      'cancelRequest:refused GDPR Art. 12(6)',
    ])
  })

  it('does not come back once the journal is written', async () => {
    await runSaga({ horizons: { 's3/backups': 30 * DAY } }, async (saga) => {
      await untilStage(saga, /expire/)
      expect(await refusal(saga.executeUpdate('cancel'))).toBe('too_late')
      expect(await refusal(saga.executeUpdate('placeHold', { args: [holdUntil(Date.now() + DAY)] }))).toBe(
        'too_late',
      )
      expect(await refusal(saga.executeUpdate('retryStore'))).toBe('not_stuck')
    })
  })
})

describe('a hold', () => {
  const place = (saga: SagaHandle, forMs: number) => placeHold(clock, saga, forMs)

  it('of a year ends by itself, and what it held is erased', async () => {
    const { journal, result, hours } = await runSaga({ graceMs: HOUR }, async (saga) => {
      await place(saga, 365 * DAY)
    })
    expect(hours / 24).toBeGreaterThan(364)
    expect(result.state).toBe('closed')
    const line = mainLine(journal)
    expect(line.slice(line.indexOf('certify:held'))).toEqual([
      'certify:held',
      'liftBlock',
      'setState:held',
      'releaseHold',
      'supersede:hold-released',
      'enqueue:erase',
      'verifyAbsence',
      'enqueue:destroy',
      'verifyKeysGone',
      'certify:certificate',
      'setState:certified',
      ...CLOSED,
    ])
    expect(line.indexOf('sealHolds')).toBeLessThan(line.indexOf('writeJournal'))
  })

  it('can be released early, once', async () => {
    const { hours } = await runSaga({ graceMs: HOUR }, async (saga) => {
      const holdId = await place(saga, 365 * DAY)
      await clock.environment.sleep('3h')
      await untilStage(saga, /held/)
      expect(await refusal(saga.executeUpdate('releaseHold', { args: [{ holdId: 'another' }] }))).toBe(
        'hold_unknown',
      )
      await saga.executeUpdate('releaseHold', { args: [{ holdId }] })
    })
    expect(hours / 24).toBeLessThan(10)
  })

  describe('that is over before the first certificate', () => {
    /** Ten seconds, doubling, to six hours: three days and a half. */
    const AWAY = Array(24).fill(['s3/archive']) as string[][]
    const AGAIN = ['enqueue:erase', 'verifyAbsence', 'enqueue:destroy', 'verifyKeysGone']
    const RELEASED_AND_WHOLE = [
      'releaseHold',
      ...AGAIN,
      'certify:certificate',
      'liftBlock',
      'setState:certified',
      ...CLOSED,
    ]
    const fromFirstTry = (journal: string[]) => {
      const line = mainLine(journal)
      return line.slice(line.indexOf('certify:held'))
    }

    it('is released, what it held is erased, and the whole is certified at once', async () => {
      let certificates: string[] = []
      const { journal, hours } = await runSaga(
        { graceMs: HOUR, dueMs: 30 * DAY, blocked: AWAY },
        async (saga) => {
          await place(saga, 2 * DAY)
          await saga.result()
          const status = await saga.query<ErasureStatus>('status')
          certificates = status.certificates.map(({ kind }) => kind)
        },
      )
      expect(fromFirstTry(journal)).toEqual(['certify:held', ...RELEASED_AND_WHOLE])
      expect(certificates).toEqual(['certificate', 'closed'])
      expect(hours / 24).toBeLessThan(10)
    })

    it('because an officer released it while a store was away, likewise', async () => {
      const { journal, hours } = await runSaga(
        { graceMs: HOUR, dueMs: 30 * DAY, blocked: AWAY },
        async (saga) => {
          const holdId = await place(saga, 365 * DAY)
          await clock.environment.sleep('1d')
          await untilStage(saga, /cannot be reached/)
          await saga.executeUpdate('releaseHold', { args: [{ holdId }] })
        },
      )
      const line = mainLine(journal)
      expect(line.slice(line.indexOf('releaseHold'))).toEqual(RELEASED_AND_WHOLE)
      expect(line).not.toContain('certify:held')
      expect(hours / 24).toBeLessThan(10)
    })

    it('is released alone: another one stands, and is named by the certificate', async () => {
      const { journal, hours } = await runSaga(
        { graceMs: HOUR, dueMs: 30 * DAY, blocked: AWAY },
        async (saga) => {
          const [over] = [await place(saga, 2 * DAY), await place(saga, 365 * DAY)]
          await clock.environment.sleep('5d')
          await untilStage(saga, /held/)
          expect(await refusal(saga.executeUpdate('releaseHold', { args: [{ holdId: over }] }))).toBe(
            'hold_unknown',
          )
        },
      )
      expect(fromFirstTry(journal)).toEqual([
        'certify:held',
        'releaseHold',
        ...AGAIN,
        'certify:held',
        'liftBlock',
        'setState:held',
        'releaseHold',
        'supersede:hold-released',
        ...AGAIN,
        'certify:certificate',
        'setState:certified',
        ...CLOSED,
      ])
      expect(hours / 24).toBeGreaterThan(364)
    })

    it('by the clock of the verifier alone is released at its own date and no sooner', async () => {
      const { journal, hours } = await runSaga({ graceMs: HOUR, aheadMs: 2 * HOUR }, (saga) =>
        place(saga, 2 * HOUR).then(() => undefined),
      )
      expect(fromFirstTry(journal)).toEqual(['certify:held', ...RELEASED_AND_WHOLE])
      expect(hours).toBeGreaterThan(1.9)
    })

    it('and that the saga does not know of leaves it blocked, visibly, with a growing pause', async () => {
      const { journal, hours } = await runSaga({
        failures: { certify: { times: 2, code: 'hold_over', final: true } },
      })
      expect(journal.filter((call) => call === 'setState:stuck verifier')).toHaveLength(1)
      expect(journal.filter((call) => call === 'certify:certificate')).toHaveLength(3)
      expect(hours * 3_600).toBeGreaterThan(29)
    })
  })

  it('that ended in the past, or names no field, is refused', async () => {
    await runSaga({ graceMs: HOUR }, async (saga) => {
      await untilStage(saga, /grace/)
      const hold = { fields: [], article: 'GDPR Art. 17(3)(e)', untilMs: 1, placedBy: 'officer' }
      expect(await refusal(saga.executeUpdate('placeHold', { args: [hold] }))).toBe('invalid_message')
    })
  })
})

describe('the deadline', () => {
  it('escalates once and stops nothing', async () => {
    const { journal, result, saga } = await runSaga({
      dueMs: 2 * HOUR,
      blocked: [...Array(12).fill(['clickhouse/events']), []],
    })
    expect(journal.filter((call) => call === 'raiseErasureAlert:overdue')).toHaveLength(1)
    expect(result.state).toBe('closed')
    expect((await saga.describe()).typedSearchAttributes.get(overdueAttribute)).toBe(true)
  })

  it('is silent for a request that was certified in time', async () => {
    const { journal } = await runSaga({ dueMs: 2 * HOUR, horizons: { 's3/backups': 30 * DAY } })
    expect(journal.some((call) => call.startsWith('raiseErasureAlert'))).toBe(false)
  })
})

describe('a store that is away or keeps something', () => {
  it('blocks the request visibly, tells an operator once, and is tried again with a growing pause', async () => {
    const { journal, hours } = await runSaga({ blocked: [['s3/archive'], ['s3/archive'], ['s3/archive']] })
    expect(journal.filter((call) => call.startsWith('raiseErasureAlert'))).toEqual([
      'raiseErasureAlert:store s3/archive',
    ])
    expect(journal.filter((call) => call === 'setState:stuck s3/archive')).toHaveLength(1)
    expect(journal.filter((call) => call === 'enqueue:erase')).toHaveLength(4)
    expect(hours * 3_600).toBeGreaterThan(69)
  })

  it('stops the certificate while a survivor is found', async () => {
    const survivor = { found: [{ store: 'clickhouse/events', count: 3 }] }
    const { journal } = await runSaga({ absence: [survivor, survivor, { found: [] }] })
    expect(journal.filter((call) => call === 'verifyAbsence')).toHaveLength(3)
    expect(journal.lastIndexOf('verifyAbsence')).toBeLessThan(journal.indexOf('certify:certificate'))
    expect(journal).toContain('raiseErasureAlert:survivors clickhouse/events')
  })

  it('is shown in status, search attribute and stage, and tried at once when an operator says so', async () => {
    const survivor = { found: [{ store: 'clickhouse/events', count: 3 }] }
    await withErasureWorkers(
      clock,
      { absence: [survivor, { found: [] }] },
      async ({ startSaga, journal }) => {
        const saga = await startSaga()
        const status = await untilStage(saga, /left in clickhouse/)
        expect(status).toMatchObject({ state: 'stuck', blockedStore: 'clickhouse/events' })
        const { typedSearchAttributes } = await saga.describe()
        expect(typedSearchAttributes.get(blockedStoreAttribute)).toBe('clickhouse/events')
        expect(typedSearchAttributes.get(stageAttribute)).toBe('something is left in clickhouse/events')
        await saga.executeUpdate('retryStore')
        const done = await saga.result()
        expect(done.state).toBe('closed')
        expect(journal.filter((call) => call === 'enqueue:erase')).toHaveLength(2)
        expect((await saga.query<ErasureStatus>('status')).blockedStore).toBeNull()
      },
    )
  })

  it('keeps the keys stage back in the same way', async () => {
    const { journal } = await runSaga({
      keysGone: [{ found: [{ store: 'keyring', count: 1 }] }, { found: [] }],
    })
    expect(journal.filter((call) => call === 'enqueue:destroy')).toHaveLength(2)
    expect(journal).toContain('setState:stuck keyring')
  })

  it("is erased again when the verifier's last look finds something", async () => {
    const { journal } = await runSaga({
      failures: { certify: { times: 1, code: 'survivors_found', final: true } },
    })
    expect(journal.filter((call) => call === 'certify:certificate')).toHaveLength(2)
    expect(journal.filter((call) => call === 'enqueue:erase')).toHaveLength(2)
  })
})

describe('a partial certificate', () => {
  const ARCHIVE_AWAY = (rounds: number) => Array(rounds).fill(['s3/archive']) as string[][]
  const partial = (journal: string[]) => journal.filter((call) => call === 'certifyPartial')

  it('is made at the deadline, once, while a store is out of reach; the saga goes on to the whole', async () => {
    let certificates: string[] = []
    const { journal, result } = await runSaga(
      { dueMs: 2 * HOUR, blocked: ARCHIVE_AWAY(12) },
      async (saga) => {
        await saga.result()
        const status = await saga.query<ErasureStatus>('status')
        certificates = status.certificates.map(({ kind }) => kind)
      },
    )
    expect(partial(journal)).toHaveLength(1)
    const at = journal.indexOf('certifyPartial')
    expect(journal.indexOf('raiseErasureAlert:overdue')).toBeLessThan(at)
    expect(at).toBeLessThan(journal.indexOf('certify:certificate'))
    expect(journal.lastIndexOf('enqueue:erase')).toBeGreaterThan(at)
    expect(result.state).toBe('closed')
    expect(certificates).toEqual(['partial', 'certificate', 'closed'])
  })

  it('is made at the first blocked round where the deadline has passed before', async () => {
    const { journal } = await runSaga({ graceMs: HOUR, dueMs: 60_000, blocked: ARCHIVE_AWAY(2) })
    expect(partial(journal)).toHaveLength(1)
    expect(journal.indexOf('raiseErasureAlert:overdue')).toBeLessThan(journal.indexOf('writeJournal'))
    expect(journal.indexOf('setState:stuck s3/archive')).toBeLessThan(journal.indexOf('certifyPartial'))
  })

  it('that the verifier refuses is asked for again after the next round, and no sooner', async () => {
    const { journal } = await runSaga({
      dueMs: HOUR,
      blocked: ARCHIVE_AWAY(12),
      failures: { certifyPartial: { times: 2, code: 'store_answers', final: true } },
    })
    expect(partial(journal)).toHaveLength(3)
    const [first, , third] = journal.flatMap((call, at) => (call === 'certifyPartial' ? at : []))
    const rounds = journal.slice(first, third).filter((call) => call === 'enqueue:erase')
    expect(rounds).toHaveLength(2)
  })

  it('is not made in time, nor while a store answers and keeps something', async () => {
    const inTime = await runSaga({ dueMs: DAY, blocked: ARCHIVE_AWAY(3) })
    expect(partial(inTime.journal)).toEqual([])
    const survivor = { found: [{ store: 'clickhouse/events', count: 3 }] }
    const absence = [...Array(9).fill(survivor), { found: [] }]
    const late = await runSaga({ dueMs: 60_000, absence })
    expect(late.journal).toContain('raiseErasureAlert:overdue')
    expect(partial(late.journal)).toEqual([])
  })

  it('is asked for by nobody while the keyring is away, without which the verifier signs nothing', async () => {
    const rounds = Array(12).fill(['keyring']) as string[][]
    const { journal, result } = await runSaga({ dueMs: HOUR, blocked: [[], ...rounds] }, async (saga) => {
      expect(await untilStage(saga, /keyring cannot be reached/)).toMatchObject({ unreachable: true })
      expect(await refusal(saga.executeUpdate('certifyPartial'))).toBe('verifier_unavailable')
    })
    expect(journal).toContain('raiseErasureAlert:overdue')
    expect(partial(journal)).toEqual([])
    expect(result.state).toBe('closed')
  })

  it('is given to an officer who asks, and to all who ask meanwhile', async () => {
    const failures = { certifyPartial: { times: 2, code: 'postgres_unavailable' } }
    const { journal, result } = await runSaga(
      { blocked: ARCHIVE_AWAY(3), failures, graceMs: HOUR },
      async (saga) => {
        await untilStage(saga, /grace/)
        expect(await refusal(saga.executeUpdate('certifyPartial'))).toBe('not_stuck')
        await clock.environment.sleep('1h')
        expect(await untilStage(saga, /cannot be reached/)).toMatchObject({ unreachable: true })
        const [one, other] = await Promise.all([
          saga.executeUpdate<PartialCertificate, []>('certifyPartial'),
          saga.executeUpdate<PartialCertificate, []>('certifyPartial'),
        ])
        expect(one).toEqual(other)
        expect(one.unreachable).toEqual(['s3/archive'])
      },
    )
    expect(partial(journal)).toHaveLength(3)
    expect(result.state).toBe('closed')
  })

  it.each(['store_answers', 'survivors_found', 'evidence_missing', 'hold_over', 'already_certified'])(
    'is refused in the words of the verifier: %s',
    async (code) => {
      const failures = { certifyPartial: { times: 9, code, final: true } }
      await runSaga({ blocked: ARCHIVE_AWAY(2), failures }, async (saga) => {
        await untilStage(saga, /cannot be reached/)
        expect(await refusal(saga.executeUpdate('certifyPartial'))).toBe(code)
      })
    },
  )

  it('is refused without the verifier while something is left, and says so where the verifier is away', async () => {
    const survivor = { found: [{ store: 'clickhouse/events', count: 3 }] }
    await runSaga({ absence: [survivor, { found: [] }] }, async (saga) => {
      await untilStage(saga, /left in clickhouse/)
      expect(await refusal(saga.executeUpdate('certifyPartial'))).toBe('survivors_found')
    })
    const failures = { certifyPartial: { times: 9, code: 'kafka_unavailable' } }
    const { journal } = await runSaga({ blocked: ARCHIVE_AWAY(2), failures }, async (saga) => {
      await untilStage(saga, /cannot be reached/)
      expect(await refusal(saga.executeUpdate('certifyPartial'))).toBe('verifier_unavailable')
    })
    expect(partial(journal)).toHaveLength(3)
  })
})

describe('closed', () => {
  it('comes only after the last horizon, the keyring’s backups among them', async () => {
    const { journal, hours } = await runSaga({
      horizons: { 'kafka/events': DAY, 'keyring/backups': 3 * DAY, 's3/backups': 30 * DAY },
    })
    expect(hours / 24).toBeGreaterThan(30)
    expect(hours / 24).toBeLessThan(30.1)
    expect(journal.filter((call) => call.startsWith('verifyHorizons'))).toEqual([
      'verifyHorizons:kafka/events,keyring/backups,s3/backups',
      'verifyHorizons:keyring/backups,s3/backups',
      'verifyHorizons:s3/backups',
      'verifyHorizons',
      // What was kept against late batches is withdrawn last, and waited for as well.
      'verifyHorizons',
    ])
    const withdrawn = journal.indexOf('withdrawStates')
    expect(journal.indexOf('verifyHorizons')).toBeLessThan(withdrawn)
    expect(journal.lastIndexOf('verifyHorizons')).toBeGreaterThan(withdrawn)
    expect(journal.lastIndexOf('verifyHorizons')).toBeLessThan(journal.indexOf('certify:closed'))
    expect(journal.indexOf('certify:closed')).toBeLessThan(journal.indexOf('closeRequest'))
  })
})

describe('the shared batch', () => {
  const runBatch = (script: ErasureScript, waiting: ('erase' | 'destroy')[], batchMs = 30_000) =>
    withErasureWorkers(clock, script, async (erasure: ErasureClock) => {
      const batch = await erasure.startBatch(batchMs, waiting)
      await batch.result()
      const { startTime, closeTime } = await batch.describe()
      return { journal: erasure.journal, seconds: (closeTime!.getTime() - startTime.getTime()) / 1_000 }
    })

  it('waits for company, erases every store of the plan once for all, and ends when nobody waits', async () => {
    const { journal, seconds } = await runBatch(
      { batches: [700], stores: ['clickhouse/events', 's3/archive', 'postgres/vault', 'added/later'] },
      ['erase'],
    )
    expect(journal.filter((call) => call.startsWith('eraseStore')).sort()).toEqual([
      'eraseStore:added/later',
      'eraseStore:clickhouse/events',
      'eraseStore:postgres/vault',
      'eraseStore:s3/archive',
    ])
    expect(journal.slice(-3)).toEqual(['rederiveAggregates', 'settleBatch:batch-700', 'claimBatch:erase'])
    expect(seconds).toBeGreaterThanOrEqual(60)
  })

  it('goes on without a store that stays away, and says which', async () => {
    const { journal } = await runBatch(
      { batches: [3], failures: { rederiveAggregates: { times: 99, code: 'clickhouse_failed' } } },
      ['erase'],
    )
    expect(journal.filter((call) => call === 'rederiveAggregates')).toHaveLength(5)
    expect(journal).toContain('settleBatch:batch-3 clickhouse/aggregates')
  })

  it('recounts nothing while raw could not be erased', async () => {
    const { journal } = await runBatch(
      {
        batches: [3],
        stores: ['clickhouse/events'],
        failures: { eraseStore: { times: 5, code: 'unreachable' } },
      },
      ['erase'],
    )
    expect(journal).not.toContain('rederiveAggregates')
    expect(journal).toContain('settleBatch:batch-3 clickhouse/events')
  })

  it('destroys the secrets of all who wait in one go', async () => {
    const { journal } = await runBatch({ batches: [900] }, ['destroy'])
    expect(journal).toEqual([
      'claimBatch:destroy',
      'destroySecrets',
      'settleBatch:batch-900',
      'claimBatch:destroy',
    ])
  })
})
