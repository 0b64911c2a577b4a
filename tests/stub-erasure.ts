import { ApplicationFailure } from '@temporalio/common'
import type {
  AcceptedEnding,
  ErasureActivities,
  ErasureBatchActivities,
  ErasureHorizon,
  RequestEnding,
  StoreReceipt,
  Survivors,
  VerifierActivities,
} from '../schemas/erasure.ts'
import type { BatchDone } from '../schemas/erasure-messages.ts'
import type { Journal } from './call-journal.ts'

type Name = keyof ErasureActivities | keyof VerifierActivities | keyof ErasureBatchActivities

export interface ErasureScript {
  /** Milliseconds from the start; defaults: no grace, a day. */
  graceMs?: number
  dueMs?: number
  /** Stores that a batch could not reach, one answer for each time the saga stands in line. Default: none. */
  blocked?: string[][]
  /** What the verifier finds at each look; the last answer stays. Default: nothing. */
  absence?: Survivors[]
  keysGone?: Survivors[]
  /** Copies that are pending, by milliseconds after the start until they are gone. */
  horizons?: Record<string, number>
  /** Times that the batch says nothing when the saga stands in line. */
  silences?: number
  /** Batches that wait, as numbers of requests. */
  batches?: number[]
  stores?: string[]
  /** An attempt of a terminated run writes an officer's `cancel` down when the next one is past its journal. */
  acceptedLate?: boolean
  /** What the verifier's clock is ahead of the saga's. */
  aheadMs?: number
  failures?: Partial<Record<Name, { times: number; code: string; message?: string; final?: boolean }>>
}

export interface ErasureStage {
  now(): Promise<number>
  /** How the stubs answer a saga: a signal. */
  tell(requestId: string, done: BatchDone): Promise<void>
}

export interface StubbedErasure {
  journal: Journal
  activities: ErasureActivities & ErasureBatchActivities
  verifier: VerifierActivities
}

const GONE: Survivors = { found: [] }

/** Activities that follow a script and write down their calls, for tests of the two workflows alone. */
export function stubErasure(script: ErasureScript, stage: ErasureStage): StubbedErasure {
  const journal: Journal = []
  const taken = new Map<string, number>()
  const next = <T>(name: string, answers: T[]): T => {
    const index = taken.get(name) ?? 0
    taken.set(name, index + 1)
    return answers[Math.min(index, answers.length - 1)]!
  }
  const failed = new Map<string, number>()
  const call = (name: Name, detail = ''): void => {
    journal.push(detail ? `${name}:${detail}` : name)
    const failure = script.failures?.[name]
    const times = failed.get(name) ?? 0
    if (!failure || times >= failure.times) return
    failed.set(name, times + 1)
    const { code, message = 'as the script says', final = false } = failure
    throw ApplicationFailure.create({ type: code, message, nonRetryable: final })
  }
  let leaves = 0
  let startedMs = 0
  /** As Postgres has them: they outlive a run of the saga. */
  const holds = new Map<string, { untilMs: number; released: boolean }>()
  /** Holds that an officer released; they stand until the saga ends them. */
  const noted = new Set<string>()
  let onlyForward = false
  const endings = new Map<string, RequestEnding>()
  const accepted = new Map<string, AcceptedEnding>()
  const standingHolds = () => [...holds].filter(([, { released }]) => !released)
  const blocked = [...(script.blocked ?? [])]
  const batches = [...(script.batches ?? [])]
  let silences = script.silences ?? 0

  const activities: StubbedErasure['activities'] = {
    async openRequest({ requestId }) {
      call('openRequest')
      const ending = endings.get(requestId)
      startedMs = await stage.now()
      return {
        app: 'shop',
        graceUntilMs: startedMs + (script.graceMs ?? 0),
        dueMs: startedMs + (script.dueMs ?? 86_400_000),
        holds: [...holds].map(([holdId, { untilMs, released }]) => ({
          ...{ holdId, untilMs },
          released: released || noted.has(holdId),
        })),
        onlyForward,
        ...(ending && { ending }),
        ...(accepted.has(requestId) && { accepted: accepted.get(requestId)! }),
      }
    },
    async acceptEnding({ requestId, ending }) {
      call('acceptEnding', ending.outcome)
      if (!onlyForward && !accepted.has(requestId)) accepted.set(requestId, ending)
      return { stands: accepted.get(requestId) ?? null }
    },
    async blockSubjects() {
      call('blockSubjects')
    },
    async awaitBlock() {
      call('awaitBlock')
    },
    async cancelRequest({ requestId, outcome, article }) {
      endings.set(requestId, { outcome, ...(article && { article }) })
      call('cancelRequest', article ? `${outcome} ${article}` : outcome)
    },
    async setState({ state, store }) {
      call('setState', store ? `${state} ${store}` : state)
    },
    async placeHold({ holdId, untilMs, fields, article }) {
      call('placeHold', `${fields.join(',')} ${article}`)
      holds.set(holdId, { untilMs, released: false })
    },
    async sealHolds() {
      call('sealHolds')
      return { holds: standingHolds().map(([holdId, { untilMs }]) => ({ holdId, untilMs })) }
    },
    async noteRelease({ holdId }) {
      call('noteRelease')
      noted.add(holdId)
    },
    async releaseHold({ holdId }) {
      call('releaseHold')
      holds.get(holdId)!.released = true
    },
    async writeJournal({ requestId }) {
      onlyForward = true
      if (script.acceptedLate) accepted.set(requestId, { outcome: 'cancelled' })
      call('writeJournal')
    },
    async enqueue({ requestId, stage: of }) {
      call('enqueue', of)
      if (silences-- > 0) return
      await stage.tell(requestId, { stage: of, blocked: blocked.shift() ?? [] })
    },
    async liftBlock() {
      call('liftBlock')
    },
    async closeRequest({ requestId }) {
      endings.set(requestId, { outcome: 'closed' })
      call('closeRequest')
    },
    async withdrawStates() {
      call('withdrawStates')
    },
    async raiseErasureAlert({ kind, store }) {
      call('raiseErasureAlert', store ? `${kind} ${store}` : kind)
    },
    async claimBatch({ stage: of }) {
      call('claimBatch', of)
      const requests = batches.shift()
      return requests === undefined ? null : { batchId: `batch-${requests}`, requests }
    },
    async planErasure() {
      call('planErasure')
      return { stores: script.stores ?? ['clickhouse/events', 'postgres/vault'], dataMap: '' }
    },
    async eraseStore({ store }) {
      call('eraseStore', store)
      return { outcome: 'erased' as StoreReceipt['outcome'] }
    },
    async rederiveAggregates() {
      call('rederiveAggregates')
    },
    async destroySecrets() {
      call('destroySecrets')
    },
    async settleBatch({ batchId, blocked: away }) {
      call('settleBatch', [batchId, ...away].join(' '))
    },
  }
  const sign = () => ({ digest: `${leaves}`.padStart(64, '0'), logIndex: leaves++ })
  /** Like the verifier's: no certificate says that a hold stands whose date has passed. */
  const requireHoldsStand = async () => {
    const nowMs = (await stage.now()) + (script.aheadMs ?? 0)
    if (!standingHolds().some(([, { untilMs }]) => untilMs <= nowMs)) return
    throw ApplicationFailure.nonRetryable('a hold is over and not released yet', 'hold_over')
  }
  return {
    journal,
    activities,
    verifier: {
      async logReceived() {
        call('logReceived')
        return sign()
      },
      async observeClosure() {
        call('observeClosure')
      },
      async verifyAbsence() {
        call('verifyAbsence')
        return next('absence', script.absence ?? [GONE])
      },
      async verifyKeysGone() {
        call('verifyKeysGone')
        return next('keysGone', script.keysGone ?? [GONE])
      },
      async certify({ kind }) {
        call('certify', kind)
        if (kind !== 'closed') await requireHoldsStand()
        return sign()
      },
      async certifyPartial() {
        call('certifyPartial')
        await requireHoldsStand()
        return { ...sign(), unreachable: ['s3/archive'] }
      },
      async refuse({ article, reason }) {
        call('refuse', `${article} ${reason}`)
        return sign()
      },
      async verifyHorizons() {
        const nowMs = await stage.now()
        const pending = Object.entries(script.horizons ?? {})
          .map(([store, ms]): ErasureHorizon => ({ store, what: 'a copy', expiresByMs: startedMs + ms }))
          .filter(({ expiresByMs }) => expiresByMs > nowMs)
        call('verifyHorizons', pending.map(({ store }) => store).join(','))
        return { pending }
      },
      async supersede({ reason }) {
        call('supersede', reason)
        return sign()
      },
    },
  }
}
