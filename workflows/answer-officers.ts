import { ApplicationFailure } from '@temporalio/common'
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineSignal,
  defineUpdate,
  patched,
  setHandler,
  uuid4,
} from '@temporalio/workflow'
import type { AcceptedEnding, PartialCertificate } from '../schemas/erasure.ts'
import {
  type BatchDone,
  canAskForPartial,
  ERASURE_MESSAGES,
  faultOfHold,
  faultOfRefusal,
  type HoldWish,
  PARTIAL_REFUSALS,
  type Refusal,
} from '../schemas/erasure-messages.ts'
import { createPartialCertifier, VERIFIER_UNAVAILABLE } from './certify-partial.ts'
import { brief, steps } from './erasure-activities.ts'
import type { Desk } from './saga.ts'
import type { ErasureTracker } from './track-erasure.ts'

export const cancelUpdate = defineUpdate<void>(ERASURE_MESSAGES.cancel)
export const refuseUpdate = defineUpdate<void, [Refusal]>(ERASURE_MESSAGES.refuse)
export const placeHoldUpdate = defineUpdate<string, [HoldWish]>(ERASURE_MESSAGES.placeHold)
export const releaseHoldUpdate = defineUpdate<void, [{ holdId: string }]>(ERASURE_MESSAGES.releaseHold)
export const retryStoreUpdate = defineUpdate<void>(ERASURE_MESSAGES.retryStore)
export const certifyPartialUpdate = defineUpdate<PartialCertificate>(ERASURE_MESSAGES.certifyPartial)
export const batchDoneSignal = defineSignal<[BatchDone]>(ERASURE_MESSAGES.batchDone)

/**
 * Each Update is validated before it enters the history: one that is refused leaves no trace in it. But one that comes before the
 * request is read is decided then, and its refusal is in the history.
 */
export function openDesk(requestId: string, track: ErasureTracker): Desk {
  let access: 'unopened' | 'open' | 'closed' = 'unopened'
  const desk: Desk = {
    ending: null,
    holds: new Map(),
    retryAsked: false,
    roundsBlocked: 0,
    certifyPartial: createPartialCertifier(requestId, track),
    batchDone: new Map(),
    open(onlyForward) {
      access = onlyForward ? 'closed' : 'open'
    },
    async close() {
      access = 'closed'
      await condition(allHandlersFinished)
    },
  }
  const requireOpen = () => {
    if (access === 'closed' || desk.ending)
      refuse('too_late', 'the request has gone past the point where this can be asked')
  }
  /** An Update may come before this run knows what an earlier one has begun: it is decided afterwards. Older runs decided at once. */
  const isEarly = () => access === 'unopened' && patched('decided-once-opened')
  const untilOpened = async () => {
    await condition(() => access !== 'unopened')
    requireOpen()
  }
  /**
   * Not by a local activity: the saga may be in the midst of one itself, and where two end within one workflow task a replay sees
   * them end together, and what follows from them in another order than the run did. Older runs had local ones.
   */
  const writing = () => (patched('officers-by-activity') ? steps : brief)
  /** An officer who was told that it is accepted can rely on it, whatever becomes of this run. Older runs kept it to themselves. */
  const end = uncancelled(async (ending: AcceptedEnding) => {
    if (isEarly()) await untilOpened()
    if (patched('ending-accepted')) {
      const { stands } = await writing().acceptEnding({ requestId, ending })
      desk.ending = stands
      if (!isSameEnding(stands, ending))
        refuse('too_late', 'another ending stands, or the request has gone past the point where it can end')
    } else desk.ending = ending
  })
  const requireHold = ({ holdId }: { holdId: string }) => {
    if (desk.ending) refuse('too_late', 'the request is about to end')
    if (desk.holds.get(holdId)?.released !== false) refuse('hold_unknown', 'no hold of this id stands')
  }
  const requireBlocked = () => {
    if (!track.status.blockedStore) refuse('not_stuck', 'the request is not blocked on a store')
  }

  setHandler(cancelUpdate, () => end({ outcome: 'cancelled' }), {
    validator: requireOpen,
    description: 'Ends the request while nothing is destroyed yet.',
  })
  setHandler(refuseUpdate, ({ article, reason }) => end({ outcome: 'refused', article, reason }), {
    validator(refusal) {
      requireOpen()
      requireFaultless(faultOfRefusal(refusal))
    },
    description:
      'Refuses the request by an article of law, signed and logged, while nothing is destroyed yet.',
  })
  setHandler(
    placeHoldUpdate,
    uncancelled(async (wish) => {
      if (isEarly()) await untilOpened()
      const holdId = uuid4()
      await writing().placeHold({ requestId, holdId, ...wish })
      desk.holds.set(holdId, { untilMs: wish.untilMs, released: false })
      return holdId
    }),
    {
      validator(wish) {
        requireOpen()
        requireFaultless(faultOfHold(wish, Date.now()))
      },
      description: 'Keeps fields of the vault back until a date, by an article of law.',
    },
  )
  setHandler(
    releaseHoldUpdate,
    uncancelled(async ({ holdId }) => {
      if (isEarly()) {
        await condition(() => access !== 'unopened')
        requireHold({ holdId })
      }
      if (patched('release-noted')) await steps.noteRelease({ requestId, holdId })
      // It may have ended meanwhile.
      const hold = desk.holds.get(holdId)
      if (hold) hold.released = true
    }),
    {
      validator(wish) {
        if (access !== 'unopened') requireHold(wish)
      },
      description: 'Ends a hold before its time; what it held is erased.',
    },
  )
  setHandler(
    retryStoreUpdate,
    () => {
      desk.retryAsked = true
    },
    {
      validator: requireBlocked,
      description: 'Tries the store again that the request is blocked on, now.',
    },
  )
  setHandler(certifyPartialUpdate, () => desk.certifyPartial(), {
    validator() {
      requireBlocked()
      if (!track.status.unreachable) refuse('survivors_found', PARTIAL_REFUSALS.survivors_found)
      if (!canAskForPartial(track.status)) refuse('verifier_unavailable', VERIFIER_UNAVAILABLE)
    },
    description: 'Signs and logs what is erased so far and which stores could not be reached.',
  })
  setHandler(batchDoneSignal, (done) => {
    desk.batchDone.set(done.stage, done)
  })
  return desk
}

/**
 * A cancellation from Temporal's side changes nothing. In older runs what officers said after one could not be written down, and was
 * refused.
 */
function uncancelled<I extends unknown[], R>(
  handle: (...input: I) => Promise<R>,
): (...input: I) => Promise<R> {
  return (...input) =>
    patched('officers-uncancelled')
      ? CancellationScope.nonCancellable(() => handle(...input))
      : handle(...input)
}

function isSameEnding(one: AcceptedEnding | null, other: AcceptedEnding): boolean {
  if (one?.outcome !== 'refused' || other.outcome !== 'refused') return one?.outcome === other.outcome
  return one.article === other.article && one.reason === other.reason
}

function refuse(code: string, message: string): never {
  throw ApplicationFailure.nonRetryable(message, code)
}

function requireFaultless(fault: string | undefined): void {
  if (fault) refuse('invalid_message', fault)
}
