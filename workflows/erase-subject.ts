import { CancellationScope, condition, patched } from '@temporalio/workflow'
import type {
  EraseSubjectInput,
  EraseSubjectResult,
  RequestEnding,
  RequestState,
} from '../schemas/erasure.ts'
import { openDesk } from './answer-officers.ts'
import { awaitHorizons } from './await-horizons.ts'
import { certify } from './certify.ts'
import { eraseAndCertify } from './erase-and-certify.ts'
import { waitBlocked } from './erase-until-gone.ts'
import { barrier, brief, steps, type Verifier, verifierActivities } from './erasure-activities.ts'
import { awaitHolds, recallHolds, sealHolds } from './hold-fields.ts'
import type { Saga } from './saga.ts'
import { trackErasure } from './track-erasure.ts'
import { watchDeadline } from './watch-deadline.ts'

/**
 * Erases one person everywhere and proves it; design.md, "One erasure". Only forward once the journal is written: no
 * compensation, and a cancellation from Temporal's side changes nothing (officers have the Update `cancel`).
 */
export function eraseSubject({ requestId }: EraseSubjectInput): Promise<EraseSubjectResult> {
  return CancellationScope.nonCancellable(async () => {
    const track = trackErasure(requestId)
    const saga: Saga = { requestId, track, desk: openDesk(requestId, track) }
    return await run(saga, verifierActivities())
  })
}

async function run(saga: Saga, verifier: Verifier): Promise<EraseSubjectResult> {
  const { requestId, track, desk } = saga
  const about = [{ requestId }] as [{ requestId: string }]

  // 1. What was asked, and by when. From here on the clock runs.
  const opened = await brief.openRequest({ requestId })
  const { app, dueMs, graceUntilMs, holds, onlyForward, ending, accepted } = opened
  track.opened(app, dueMs)
  recallHolds(saga, holds ?? [])
  desk.open(onlyForward ?? false)
  if (ending) return await endAgain(saga, ending)
  // Past the journal nobody was told so: the word came when the run that took it was gone.
  if (accepted && !onlyForward) desk.ending = accepted
  const deadline = watchDeadline(saga, dueMs)

  // 2. Block at once; the log's leaf "request received" is written meanwhile.
  const received = verifier.logReceived.executeWithOptions({ summary: 'Leaf: request received' }, about)
  received.catch(() => undefined)
  await track.step(
    'blocking',
    () => steps.blockSubjects.executeWithOptions({ summary: 'Collection and use stop' }, about),
    () => 'collection and use have stopped',
  )
  await brief.setState({ requestId, state: 'blocked' })

  // 3. Barrier: no collector and no ingest member can store anything of this person any more.
  track.say('waiting until no row can be on its way', 'blocked')
  await barrier.awaitBlock.executeWithOptions({ summary: 'Has everyone passed the block?' }, about)

  // 4. Grace: until its end an officer can still take it back.
  track.say('grace')
  if (graceUntilMs > Date.now()) await condition(() => desk.ending !== null, graceUntilMs - Date.now())
  await desk.close()
  await track.step(
    'request logged',
    () => received,
    ({ logIndex }) => `leaf ${logIndex}`,
  )
  if (desk.ending) return await endEarly(saga, verifier, deadline)

  // 5. Legally held fields go under a key of their own; the rest goes on.
  const held = desk.holds.size > 0 && (await sealHolds(saga))

  // 6. The verifier's own closure, while there is something to see.
  await track.step(
    'observing the closure',
    () => verifier.observeClosure.executeWithOptions({ summary: "The verifier's own closure" }, about),
    () => 'the verifier knows what must be gone',
  )

  // 7. Journal: what a restore must erase again. From here on only forward.
  await track.step(
    'writing the journal',
    () => steps.writeJournal.executeWithOptions({ summary: 'What a restore must erase again' }, about),
    () => 'written',
  )
  track.say('erasing', 'erasing')
  // The journal's step has said so in the row by itself: this is for histories from before it did, which must replay.
  await brief.setState({ requestId, state: 'erasing' })

  // 8. Erase, verify, destroy the keys, verify, certify. A survivor stops the certificate.
  const first = await eraseAndCertify(saga, verifier, held ? 'held' : 'certificate')
  deadline.cancel()

  // 9. The block becomes a cutoff in time: who returns is a new subject.
  await steps.liftBlock.executeWithOptions({ summary: 'The block becomes a cutoff' }, about)
  await reach(saga, first === 'held' ? 'held' : 'certified')

  // 10. A hold ends by itself, or by an officer; what it held is erased without a human.
  if (first === 'held') {
    await awaitHolds(saga)
    await verifier.supersede.executeWithOptions({ summary: 'The certificate that names it is withdrawn' }, [
      { requestId, reason: 'hold-released' },
    ])
    await eraseAndCertify(saga, verifier, 'certificate')
    await reach(saga, 'certified')
  }

  // 11. What must age, ages; then certificate 2. A survivor found now withdraws certificate 1.
  for (;;) {
    await awaitHorizons(saga, verifier)
    if (patched('withdraw-before-closed')) await withdrawStates(saga, verifier)
    if ((await certify(saga, verifier, 'closed')) === 'signed') break
    await verifier.supersede.executeWithOptions({ summary: 'A survivor: the certificate is withdrawn' }, [
      { requestId, reason: 'survivor-found' },
    ])
    await waitBlocked(saga, 'verifier', { attempt: 0, survives: true })
    await eraseAndCertify(saga, verifier, 'certificate')
    await reach(saga, 'certified')
  }

  // 12. The request's own key goes last.
  await forget(saga, { outcome: 'closed' })
  track.say('closed', 'closed')
  return result(saga)
}

async function endEarly(
  saga: Saga,
  verifier: Verifier,
  deadline: CancellationScope,
): Promise<EraseSubjectResult> {
  const { requestId, track } = saga
  const ending = saga.desk.ending!
  if (ending.outcome === 'refused') {
    const { article, reason } = ending
    const made = await track.step(
      'refusing',
      () =>
        verifier.refuse.executeWithOptions({ summary: 'Sign and log the refusal' }, [
          { requestId, article, reason },
        ]),
      ({ logIndex }) => `leaf ${logIndex}`,
    )
    track.status.certificates.push({ kind: 'refusal', ...made })
  }
  await forget(saga, ending)
  deadline.cancel()
  track.say(ending.outcome, ending.outcome)
  return result(saga)
}

/** An earlier run was terminated while it forgot the request: that is gone through once more, and nothing else can be. */
async function endAgain(saga: Saga, ending: RequestEnding): Promise<EraseSubjectResult> {
  await saga.desk.close()
  await forget(saga, ending)
  saga.track.say(ending.outcome, ending.outcome)
  return result(saga)
}

async function forget({ requestId }: Saga, { outcome, article }: RequestEnding): Promise<void> {
  if (outcome === 'closed') {
    await steps.closeRequest.executeWithOptions({ summary: 'The request key is destroyed' }, [{ requestId }])
    return
  }
  await steps.cancelRequest.executeWithOptions({ summary: 'The block is withdrawn' }, [
    { requestId, outcome, ...(article && { article }) },
  ])
}

/** What was kept against late batches is withdrawn, and waited for like any other copy. */
async function withdrawStates(saga: Saga, verifier: Verifier): Promise<void> {
  await steps.withdrawStates.executeWithOptions({ summary: 'Suppression ends: its keyed hashes go' }, [
    { requestId: saga.requestId },
  ])
  await awaitHorizons(saga, verifier)
}

async function reach({ requestId, track }: Saga, state: RequestState): Promise<void> {
  track.say(state, state)
  await brief.setState({ requestId, state })
}

function result({ requestId, track }: Saga): EraseSubjectResult {
  const { state, certificates } = track.status
  return { requestId, state, logIndex: certificates.at(-1)?.logIndex ?? null }
}
