import type { Postgres } from '../../postgres/client.ts'
import type { RequestTimes } from '../erasure/erase-people.ts'
import type { Answer, AnswerOutcome } from './answer-request.ts'

/** What an officer said to a request, and whether it can be relied on. */
export interface GivenAnswer {
  answer: Answer
  outcome: Promise<AnswerOutcome | 'failed'>
}

/** How a request has ended well: closed, or as its own officer asked. Undefined while it goes on, and for any other end. */
export function endOf(state: string, answer: Answer | undefined): 'closed' | 'by an officer' | undefined {
  if (state === 'closed') return 'closed'
  const isAsked =
    (answer === 'cancel' && state === 'cancelled') || (answer === 'refuse' && state === 'refused')
  return isAsked ? 'by an officer' : undefined
}

/** Requests whose officer was told that an ending is accepted and which have ended otherwise, or whom nothing could be told. */
export async function findBrokenWords(
  times: readonly RequestTimes[],
  answers: ReadonlyMap<string, GivenAnswer>,
): Promise<string[]> {
  const broken: string[] = []
  for (const { requestId, state } of times) {
    const given = answers.get(requestId)
    if (!given) continue
    const outcome = await given.outcome
    const isEnding = given.answer === 'cancel' || given.answer === 'refuse'
    const isOverruled = outcome === 'accepted' && isEnding && endOf(state, given.answer) !== 'by an officer'
    if (outcome === 'failed' || outcome === 'ignored' || isOverruled)
      broken.push(`${given.answer} ${outcome}, ${requestId} ${state}`)
  }
  return broken
}

/** States in which a certificate of the whole has taken the place of a partial one. */
const WHOLE = new Set(['held', 'certified', 'closed'])

/** Requests whose officer was given a partial certificate that is not there, and those that still stand though all is erased. */
export async function findBrokenPartials(
  postgres: Postgres,
  times: readonly RequestTimes[],
  answers: ReadonlyMap<string, GivenAnswer>,
): Promise<string[]> {
  const rows = await postgres.query<{ request_id: string; withdrawn: boolean }>(
    'drill_partials',
    `SELECT request_id, bool_and(superseded) AS withdrawn FROM certificates WHERE kind = 'partial' GROUP BY 1`,
    [],
  )
  const withdrawn = new Map(rows.map((row) => [row.request_id, row.withdrawn]))
  const broken: string[] = []
  for (const { requestId, state } of times) {
    const given = answers.get(requestId)
    const isPromised = given?.answer === 'partial' && (await given.outcome) === 'accepted'
    const stands = withdrawn.get(requestId) === false
    if ((isPromised && !withdrawn.has(requestId)) || (stands && WHOLE.has(state)))
      broken.push(`partial ${stands ? 'not withdrawn' : 'lost'}, ${requestId} ${state}`)
  }
  return broken
}

/** Requests of which a certificate was withdrawn because something was found after it; those of ended holds are withdrawn for them. */
export async function findWithdrawn(postgres: Postgres): Promise<string[]> {
  const rows = await postgres.query<{ request_id: string }>(
    'drill_withdrawn',
    `SELECT request_id FROM certificates
     WHERE kind = 'supersession' AND convert_from(file, 'UTF8') LIKE '%"survivor-found"%'`,
    [],
  )
  return rows.map((row) => row.request_id)
}
