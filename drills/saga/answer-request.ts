import { setTimeout as sleep } from 'node:timers/promises'
import type { PrivacyOffice } from '../../cli/privacy-office.ts'
import { readRequest } from '../../postgres/privacy-requests.ts'
import { EbbError } from '../../runtime/errors.ts'

/** What an officer says to a request, so that its saga takes steps which no other takes. */
export type Answer = 'cancel' | 'refuse' | 'hold' | 'partial'

/**
 * `accepted` can be relied on; `ignored` was accepted, and the saga went on without it. `late`: the saga had gone past it, its store
 * had come back, whatever was found in it then, or an attempt before was taken unheard. `unsaid`: whoever takes it stayed away to the end.
 */
export type AnswerOutcome = 'accepted' | 'ignored' | 'late' | 'unsaid'

const PAUSE_MS = 500
/** A hold whose officer loses sight of it ends by itself then. */
const HOLD_MS = 4 * 60_000
/** A partial certificate is waited for so long; then its store comes back all the same. */
const PARTIAL_MS = 4 * 60_000
const LATE = new Set(['too_late', 'hold_unknown', 'not_stuck', 'store_answers', 'survivors_found'])
/** Workers and engines are killed all the time: these are waited for. */
const AWAY = new Set(['saga_unavailable', 'postgres_unavailable', 'verifier_unavailable'])

export interface AnswerTimes {
  /** Whether a hold may end by now. */
  mayRelease(): boolean
  /** Ends whatever is waited for. */
  isOver(): boolean
}

/** Takes a store away that every erasure needs, and brings it back. */
export interface AnsweredStore {
  leave(): void
  comeBack(): Promise<void>
}

/**
 * Answers a request, again and again while workers and engines are away.
 * @throws EbbError of any other kind than those that a kill explains
 */
export async function answerRequest(
  office: Pick<PrivacyOffice, 'actions' | 'postgres'>,
  given: { requestId: string; answer: Answer; times: AnswerTimes; store: AnsweredStore },
): Promise<AnswerOutcome> {
  const { requestId, answer, times } = given
  const { actions } = office
  if (answer === 'cancel') return await persist(() => actions.cancel(requestId), times.isOver)
  if (answer === 'refuse') {
    const refusal = { article: 'GDPR Art. 12(6)', reason: 'identity-not-proven' } as const
    return await persist(() => actions.refuse(requestId, refusal), times.isOver)
  }
  return answer === 'hold'
    ? await holdAndRelease(office, requestId, times)
    : await askForPartial(office, requestId, times, given.store)
}

async function persist(act: () => Promise<unknown>, isOver: () => boolean): Promise<AnswerOutcome> {
  for (; !isOver(); await sleep(PAUSE_MS)) {
    try {
      await act()
      return 'accepted'
    } catch (error) {
      const code = error instanceof EbbError ? error.code : ''
      if (LATE.has(code)) return 'late'
      if (!AWAY.has(code)) throw error
    }
  }
  return 'unsaid'
}

type Office = Pick<PrivacyOffice, 'actions' | 'postgres'>

async function holdAndRelease(
  { actions, postgres }: Office,
  requestId: string,
  { mayRelease, isOver }: AnswerTimes,
): Promise<AnswerOutcome> {
  const hold = { fields: ['name'], article: 'GDPR Art. 17(3)(e)', placedBy: 'drill' }
  const untilMs = Date.now() + HOLD_MS
  let holdId = ''
  const outcome = await persist(async () => {
    holdId = await actions.placeHold(requestId, { ...hold, untilMs })
  }, isOver)
  if (outcome !== 'accepted') return outcome
  const state = await waitForState(postgres, requestId, ['held', 'certified', 'closed'], isOver)
  if (state === 'held') {
    while (!isOver() && !mayRelease()) await sleep(PAUSE_MS)
    await persist(() => actions.releaseHold(requestId, holdId), isOver)
  }
  return state === 'held' || Date.now() > untilMs ? outcome : 'ignored'
}

/** The store is away from the moment in which the rows are to go until there is a certificate that says so. */
async function askForPartial(
  { actions, postgres }: Office,
  requestId: string,
  times: AnswerTimes,
  store: AnsweredStore,
): Promise<AnswerOutcome> {
  const endMs = Date.now() + PARTIAL_MS
  const isOver = () => times.isOver() || Date.now() > endMs
  const began = await waitForState(postgres, requestId, ['erasing', 'certified', 'closed'], isOver)
  if (began !== 'erasing') return isOver() ? 'unsaid' : 'late'
  store.leave()
  try {
    const state = await waitForState(postgres, requestId, ['stuck', 'certified', 'closed'], isOver)
    if (state === 'certified' || state === 'closed') return 'late'
    return await persist(() => actions.certifyPartial(requestId), isOver)
  } finally {
    await store.comeBack()
  }
}

/** @returns the first of these states that is seen, or the last one seen when it is over */
async function waitForState(
  postgres: Office['postgres'],
  requestId: string,
  states: readonly string[],
  isOver: () => boolean,
): Promise<string> {
  let state = ''
  const look = async () => {
    state = (await readRequest(postgres, requestId)).state
  }
  for (; !isOver() && !states.includes(state); await sleep(PAUSE_MS)) await persist(look, isOver)
  return state
}
