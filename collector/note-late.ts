import type { SubjectStates } from '../kafka/follow-subject-states.ts'
import type { SubjectStatePublisher } from '../kafka/subject-states.ts'
import type { Postgres } from '../postgres/client.ts'
import { noteLateLinks } from '../postgres/late-links.ts'
import { collectorError } from './error.ts'
import type { Sifted } from './suppress.ts'

/**
 * Further ids of suppressed people: kept for an erasure of their own, told to all collectors, and known here at once.
 * Durable when it resolves, so that the acknowledged link is not forgotten.
 */
export function createLateNotes(deps: {
  postgres: Postgres
  publisher: Pick<SubjectStatePublisher, 'publishLinked'>
  states: Pick<SubjectStates, 'learnLinked'>
}): (app: string, late: Sifted['concluded']) => Promise<void> {
  return async (app, late) => {
    try {
      await noteLateLinks(
        deps.postgres,
        late.map(({ handle, state }) => ({ app, handle, at: state.at })),
      )
      for (const { handle, state } of late) await deps.publisher.publishLinked([handle], state)
    } catch (cause) {
      throw collectorError('subjects_unavailable', cause)
    }
    for (const { handle, state } of late) deps.states.learnLinked([handle], state)
  }
}
