import { groupLooks } from './group-looks.ts'
import type { Appended, LogWriter, StatementWish } from './log-writer.ts'
import type { LoggedStatement } from './logged-statements.ts'

/** Between two checkpoints: each costs a lock, half a dozen objects and a witness's answer, for one leaf as for a thousand. */
const REST_MS = 1_000
/** Of one checkpoint: the next ones go into the next. */
const MOST_AT_ONCE = 1_000

/** Appends one statement, together with whoever else comes at the moment. Resolves when it is in the log and its files are there. */
export type AppendLeaf = (wish: StatementWish) => Promise<LoggedStatement>

/**
 * Group commit: one batch at a time; whoever comes meanwhile goes into the next, so that a thousand certificates cost some
 * checkpoints and not a thousand. A wish that cannot be decided fails alone.
 */
export function createAppendLeaf(writer: LogWriter): AppendLeaf {
  const append = groupLooks<StatementWish, Appended>(REST_MS, (wishes) => writer.append(wishes), MOST_AT_ONCE)
  return async (wish) => {
    const answer = await append(wish)
    if ('error' in answer) throw answer.error
    return answer.logged
  }
}
