import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type ErasureClock, type SagaHandle, withErasureWorkers } from './erasure-clock.ts'
import { historyToJson } from './history-json.ts'
import { DAY, HOUR, placeHold, untilStage } from './saga-steps.ts'
import type { ErasureScript } from './stub-erasure.ts'
import { startWorkflowClock, type WorkflowClock } from './workflow-clock.ts'

// Records histories of the erasure workflows for workflows/replay.test.ts: `node --import tsx
// tests/record-erasure-histories.ts [name]`. Sagas stay open for as long as a backup lives or a hold stands, a year perhaps:
// record a new one beside the old when the saga changes under `patched()`, and keep the old one.

interface Scenario {
  script: ErasureScript
  /** Ids are in the history: the same at each recording. */
  requestId: string
  meanwhile?(saga: SagaHandle, clock: WorkflowClock): Promise<void>
}

const id = (last: number) => `00000000-0000-4000-8000-${String(last).padStart(12, '0')}`

async function cancelInGrace(saga: SagaHandle): Promise<void> {
  await untilStage(saga, /grace/)
  await saga.executeUpdate('cancel')
}

async function refuseInGrace(saga: SagaHandle): Promise<void> {
  await untilStage(saga, /grace/)
  await saga.executeUpdate('refuse', {
    args: [{ article: 'GDPR Art. 12(6)', reason: 'identity-not-proven' }],
  })
}

async function holdForAYear(saga: SagaHandle, clock: WorkflowClock): Promise<void> {
  await placeHold(clock, saga, 365 * DAY)
}

async function releaseInGrace(saga: SagaHandle, clock: WorkflowClock): Promise<void> {
  const holdId = await placeHold(clock, saga, 365 * DAY)
  await saga.executeUpdate('releaseHold', { args: [{ holdId }] })
}

const SURVIVOR = { found: [{ store: 'clickhouse/events', count: 3 }] }

const SAGAS: Record<string, Scenario> = {
  'erasure-closed': {
    requestId: id(1),
    script: { horizons: { 'kafka/events': DAY, 's3/backups': 30 * DAY } },
  },
  // With suppression withdrawn before `closed` is signed; the one above is from before that.
  'erasure-withdrawn-and-closed': {
    requestId: id(7),
    script: { horizons: { 'kafka/events': DAY, 's3/backups': 30 * DAY } },
  },
  'erasure-cancelled': {
    requestId: id(2),
    script: { graceMs: HOUR },
    meanwhile: cancelInGrace,
  },
  'erasure-refused': {
    requestId: id(3),
    script: { graceMs: HOUR },
    meanwhile: refuseInGrace,
  },
  // The same with the officer's word written down; the two above are from before that.
  'erasure-refused-accepted': {
    requestId: id(13),
    script: { graceMs: HOUR },
    meanwhile: refuseInGrace,
  },
  'erasure-held': {
    requestId: id(4),
    script: { graceMs: HOUR },
    meanwhile: holdForAYear,
  },
  // Of two holds, one ends while a store is away: three days and a half.
  'erasure-hold-over': {
    requestId: id(9),
    script: { graceMs: HOUR, dueMs: 30 * DAY, blocked: Array(24).fill(['s3/archive']) },
    async meanwhile(saga, clock) {
      await placeHold(clock, saga, 2 * DAY)
      await placeHold(clock, saga, 365 * DAY)
    },
  },
  'erasure-stuck-and-overdue': {
    requestId: id(5),
    script: {
      dueMs: 60_000,
      blocked: [['s3/archive'], ['s3/archive'], ['s3/archive'], ['s3/archive']],
      absence: [SURVIVOR, { found: [] }],
      failures: { certify: { times: 1, code: 'survivors_found', final: true } },
    },
  },
  // A partial certificate for an officer who asks, and another call at the deadline.
  'erasure-partial': {
    requestId: id(8),
    script: { dueMs: 60_000, blocked: [['s3/archive'], ['s3/archive'], ['s3/archive'], ['s3/archive']] },
    async meanwhile(saga) {
      await untilStage(saga, /cannot be reached/)
      await saga.executeUpdate('certifyPartial')
    },
  },
  // Sagas of before asked the verifier for a partial certificate also while only the keyring was away; the second one does not.
  'erasure-keyring-asked': {
    requestId: id(10),
    script: { dueMs: 60_000, blocked: [[], ...Array(4).fill(['keyring'])] },
  },
  'erasure-keyring-away': {
    requestId: id(11),
    script: { dueMs: 60_000, blocked: [[], ...Array(4).fill(['keyring'])] },
  },
  // Its cancellation comes before it has read its request (the worker hears of it after eight seconds), and is decided afterwards.
  'erasure-cancelled-early': {
    requestId: id(12),
    script: { graceMs: HOUR, failures: { openRequest: { times: 4, code: 'postgres_unavailable' } } },
    async meanwhile(saga) {
      await saga.executeUpdate('cancel')
    },
  },
  // What officers say is written down by activities of its own; those above are from before that.
  'erasure-cancelled-by-activity': {
    requestId: id(14),
    script: { graceMs: HOUR },
    meanwhile: cancelInGrace,
  },
  'erasure-held-by-activity': {
    requestId: id(15),
    script: { graceMs: HOUR },
    meanwhile: holdForAYear,
  },
  // Temporal was told to cancel it; of before officers were heard after that.
  'erasure-officer-unheard': {
    requestId: id(18),
    script: { graceMs: HOUR },
    async meanwhile(saga, clock) {
      await untilStage(saga, /grace/)
      await saga.cancel()
      await placeHold(clock, saga, 365 * DAY).catch(() => undefined)
    },
  },
  'erasure-released': {
    requestId: id(16),
    script: { graceMs: HOUR },
    meanwhile: releaseInGrace,
  },
  // A release, too, is written down before the officer hears of it; the one above is from before that.
  'erasure-released-written': {
    requestId: id(17),
    script: { graceMs: HOUR },
    meanwhile: releaseInGrace,
  },
  'erasure-retries': {
    requestId: id(6),
    script: {
      silences: 1,
      failures: {
        blockSubjects: { times: 2, code: 'postgres_unavailable' },
        awaitBlock: { times: 5, code: 'block_pending' },
        writeJournal: { times: 2, code: 'journal_failed' },
        liftBlock: { times: 2, code: 'kafka_unavailable' },
      },
    },
  },
}

const BATCHES: Record<string, ErasureScript> = {
  'batch-two-rounds': { batches: [1_000, 20] },
  'batch-store-away': { batches: [3], failures: { eraseStore: { times: 9, code: 'unreachable' } } },
}

const FOLDER = fileURLToPath(new URL('../workflows/histories/', import.meta.url))
const clock = await startWorkflowClock()
const wanted = (name: string) => process.argv[2] === undefined || process.argv[2] === name

async function record(
  name: string,
  script: ErasureScript,
  run: (erasure: ErasureClock) => Promise<SagaHandle>,
) {
  await withErasureWorkers(clock, script, async (erasure) => {
    const handle = await run(erasure)
    await handle.result()
    await writeFile(`${FOLDER}${name}.json`, historyToJson(await handle.fetchHistory()))
    console.log(`recorded ${name}`)
  })
}

for (const [name, { script, requestId, meanwhile }] of Object.entries(SAGAS).filter(([name]) =>
  wanted(name),
)) {
  await record(name, script, async (erasure) => {
    const saga = await erasure.startSaga(requestId)
    await meanwhile?.(saga, clock)
    return saga
  })
}
for (const [name, script] of Object.entries(BATCHES).filter(([name]) => wanted(name))) {
  await record(
    name,
    script,
    async (erasure) => (await erasure.startBatch(30_000, ['erase', 'destroy'])) as never,
  )
}
await clock.close()
