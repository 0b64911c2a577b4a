import type { Statement } from './analyse-query.ts'
import type { Engine } from './engine.ts'
import { quoteString } from './quote-sql.ts'

/** Names one running statement: the server's count, which a client cannot choose, and the client's query id. */
export const markOf = (serial: number, queryId: string) => `ebb:${serial}:${encodeURIComponent(queryId)}`

/** The client's query id, as an expression over a row of `system.processes`. */
const QUERY_ID = "decodeURLComponent(extract(Settings['log_comment'], '^ebb:[0-9]+:([^ ]*)'))"

/**
 * A client's KILL QUERY, so that its `query_id` finds the ids that clients chose. Always ASYNC: SYNC waits for ever in
 * this engine.
 */
export function rewriteKill(statement: Statement): string {
  let out = ''
  let copied = 0
  for (const token of statement.tokens) {
    const word = token.kind === 'word' ? token.text.toLowerCase() : ''
    const isName = word === 'query_id' || word === 'initial_query_id' || token.text === '`query_id`'
    if (!isName && word !== 'sync') continue
    out += statement.sql.slice(copied, token.start) + (isName ? QUERY_ID : 'ASYNC')
    copied = token.end
  }
  return out + statement.sql.slice(copied)
}

/** Stops one statement of ours, on a connection of its own. It may have ended by itself: never throws. */
export async function killMarked(engine: Engine, serial: number): Promise<void> {
  await kill(engine, `startsWith(Settings['log_comment'], ${quoteString(`ebb:${serial}:`)})`)
}

/** Stops every statement that clients run. */
export async function killAll(engine: Engine): Promise<void> {
  await kill(engine, "startsWith(Settings['log_comment'], 'ebb:')")
}

async function kill(engine: Engine, where: string): Promise<void> {
  const connection = engine.connect()
  try {
    await engine.query(connection, `KILL QUERY WHERE ${where} ASYNC`, 'Null')
  } catch {
    // Nothing to stop.
  } finally {
    engine.close(connection)
  }
}
