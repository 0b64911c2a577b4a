import { setTimeout as sleep } from 'node:timers/promises'
import type { PrivacyOffice } from '../../cli/privacy-office.ts'
import { readRequest } from '../../postgres/privacy-requests.ts'
import { EbbError } from '../../runtime/errors.ts'

/** What an officer says to a request, so that its saga takes steps which no other takes. */
export type Answer = 'cancel' | 'refuse' | 'hold'

const PAUSE_MS = 500
/** A hold whose officer loses sight of it ends by itself then. */
const HOLD_MS = 4 * 60_000
/** Codes that say that the saga has gone past the answer: nothing is wrong, it is only late. */
const LATE = new Set(['too_late', 'hold_unknown'])

/** Answers a request, again and again while workers and engines are away. @param isOver ends it */
export async function answerRequest(
  { actions, postgres }: Pick<PrivacyOffice, 'actions' | 'postgres'>,
  { requestId, answer, isOver }: { requestId: string; answer: Answer; isOver(): boolean },
): Promise<void> {
  const persist = async <Result>(act: () => Promise<Result>): Promise<Result | undefined> => {
    while (!isOver()) {
      try {
        return await act()
      } catch (error) {
        if (error instanceof EbbError && LATE.has(error.code)) return undefined
        await sleep(PAUSE_MS)
      }
    }
    return undefined
  }
  if (answer === 'cancel') return await persist(() => actions.cancel(requestId))
  if (answer === 'refuse') {
    const refusal = { article: 'GDPR Art. 12(6)', reason: 'identity-not-proven' } as const
    return await persist(() => actions.refuse(requestId, refusal))
  }
  const hold = { fields: ['name'], article: 'GDPR Art. 17(3)(e)', placedBy: 'drill' }
  const holdId = await persist(() => actions.placeHold(requestId, { ...hold, untilMs: Date.now() + HOLD_MS }))
  if (!holdId) return
  await persist(async () => {
    const { state } = await readRequest(postgres, requestId)
    if (state !== 'held') throw new Error('not held yet')
    await actions.releaseHold(requestId, holdId)
  })
}
