import type { LogWriter, StatementWish } from './log-writer.ts'
import type { LoggedStatement } from './logged-statements.ts'

/** Leaves that come within so long share a checkpoint; so do all that come while the last one is written. */
const WINDOW_MS = 20
/** Of one checkpoint: the next ones go into the next. */
const MOST_AT_ONCE = 1_000

/** Appends one statement, together with whoever else comes at the moment. Resolves when it is in the log and its files are there. */
export type AppendLeaf = (wish: StatementWish) => Promise<LoggedStatement>

interface Waiting {
  wish: StatementWish
  resolve(logged: LoggedStatement): void
  reject(error: unknown): void
}

/**
 * Group commit: one batch at a time; whoever comes meanwhile goes into the next, so that a thousand certificates cost some
 * checkpoints and not a thousand. A wish that cannot be decided fails alone.
 */
export function createAppendLeaf(writer: LogWriter): AppendLeaf {
  let waiting: Waiting[] = []
  let running = false

  async function run(): Promise<void> {
    running = true
    await new Promise((resolve) => setTimeout(resolve, WINDOW_MS))
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MOST_AT_ONCE)
      waiting = waiting.slice(MOST_AT_ONCE)
      await commit(batch)
    }
    running = false
  }

  async function commit(batch: Waiting[]): Promise<void> {
    try {
      const answers = await writer.append(batch.map(({ wish }) => wish))
      for (const [at, one] of batch.entries()) {
        const answer = answers[at]!
        if ('error' in answer) one.reject(answer.error)
        else one.resolve(answer.logged)
      }
    } catch (error) {
      for (const one of batch) one.reject(error)
    }
  }

  return (wish) =>
    new Promise((resolve, reject) => {
      waiting.push({ wish, resolve, reject })
      if (!running) void run()
    })
}
