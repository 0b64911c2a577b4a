import { setTimeout as sleep } from 'node:timers/promises'
import type { PrivacyOffice } from '../../cli/privacy-office.ts'
import { readRequest } from '../../postgres/privacy-requests.ts'
import { EbbError } from '../../runtime/errors.ts'

/** What an officer says to a request, so that its saga takes steps which no other takes. */
export type Answer = 'cancel' | 'refuse' | 'hold'

/**
 * `accepted` can be relied on; `ignored` was accepted, and the saga went on without it. `late`: the saga had gone past it, or an
 * attempt before was taken unheard. `unsaid`: whoever takes it stayed away to the end.
 */
export type AnswerOutcome = 'accepted' | 'ignored' | 'late' | 'unsaid'

const PAUSE_MS = 500
/** A hold whose officer loses sight of it ends by itself then. */
const HOLD_MS = 4 * 60_000
const LATE = new Set(['too_late', 'hold_unknown'])
/** Workers and engines are killed all the time: these are waited for. */
const AWAY = new Set(['saga_unavailable', 'postgres_unavailable'])

/**
 * Answers a request, again and again while workers and engines are away.
 * @param mayRelease whether a hold may end by now
 * @param isOver ends it
 * @throws EbbError of any other kind than those that a kill explains
 */
export async function answerRequest(
  { actions, postgres }: Pick<PrivacyOffice, 'actions' | 'postgres'>,
  given: { requestId: string; answer: Answer; mayRelease(): boolean; isOver(): boolean },
): Promise<AnswerOutcome> {
  const { requestId, answer, mayRelease, isOver } = given
  const persist = async (act: () => Promise<unknown>): Promise<AnswerOutcome> => {
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
  if (answer === 'cancel') return await persist(() => actions.cancel(requestId))
  if (answer === 'refuse') {
    const refusal = { article: 'GDPR Art. 12(6)', reason: 'identity-not-proven' } as const
    return await persist(() => actions.refuse(requestId, refusal))
  }
  const hold = { fields: ['name'], article: 'GDPR Art. 17(3)(e)', placedBy: 'drill' }
  const untilMs = Date.now() + HOLD_MS
  let holdId = ''
  const outcome = await persist(async () => {
    holdId = await actions.placeHold(requestId, { ...hold, untilMs })
  })
  if (outcome !== 'accepted') return outcome
  let state = 'received'
  const look = async () => {
    state = (await readRequest(postgres, requestId)).state
  }
  for (; !isOver() && !['held', 'certified', 'closed'].includes(state); await sleep(PAUSE_MS))
    await persist(look)
  if (state === 'held') {
    while (!isOver() && !mayRelease()) await sleep(PAUSE_MS)
    await persist(() => actions.releaseHold(requestId, holdId))
  }
  return state === 'held' || Date.now() > untilMs ? outcome : 'ignored'
}
