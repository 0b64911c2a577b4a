import { closeSync, constants, createReadStream, openSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Statement } from './analyse-query.ts'
import type { Connection, Engine, Figures } from './engine.ts'
import type { QueryRequest } from './parse-request.ts'
import type { Spool } from './spool-body.ts'

/** Bytes held back before the first one is sent, so that most errors still get their status and code. */
const HOLD_BACK_BYTES = 256 * 1024

/** Where a result goes. */
export interface ResultSink {
  /** Called once, before the first byte; `figures` when the statement has ended already. */
  begin(format: string, compression: string, figures: Figures | undefined): void
  /** Resolves when more may be written. */
  write(chunk: Buffer): Promise<void>
  /** The client went away: the rest of the result is read and dropped. */
  gone(): boolean
}

/** The text of a SELECT with its format taken out and our own output put in. */
function intoFile(statement: Statement, format: string, path: string, compression: string): string {
  const { sql, formatAt } = statement
  const body = formatAt === undefined ? sql : sql.slice(0, formatAt.start)
  const rest = formatAt === undefined ? '' : sql.slice(formatAt.end)
  // A comment at the end of the text must not swallow what follows.
  return `${body}\nINTO OUTFILE '${path}' TRUNCATE COMPRESSION '${compression || 'none'}' FORMAT ${format} ${rest}`
}

/**
 * Runs a SELECT and sends its rows on while they come: the engine writes into a named pipe, which holds 64 KB, so a
 * slow client slows the query down and no result is ever whole in memory.
 * @throws the engine's error; when `begin` was called before, the answer must be cut off.
 */
export async function runSelect(
  engine: Engine,
  connection: Connection,
  request: QueryRequest,
  statement: Statement,
  before: string,
  spool: Spool,
  sink: ResultSink,
): Promise<void> {
  const format = statement.format ?? request.defaultFormat
  const compression = request.outputCompression
  if (request.waitEndOfQuery) {
    const path = spool.resultPath()
    try {
      const sql = before + intoFile(statement, format, path, compression)
      const { figures } = await engine.query(connection, sql, format)
      sink.begin(format, compression, figures)
      await copy(createReadStream(path), sink)
    } finally {
      spool.remove(path)
    }
    return
  }
  const path = spool.takePipe()
  try {
    const sql = before + intoFile(statement, format, path, compression)
    await throughPipe(path, () => engine.query(connection, sql, format), sink, format, compression)
  } finally {
    spool.releasePipe(path)
  }
}

async function throughPipe(
  path: string,
  run: () => Promise<{ figures: Figures }>,
  sink: ResultSink,
  format: string,
  compression: string,
): Promise<void> {
  const reader = new Socket({
    fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  })
  // Our own writer keeps the pipe open until the statement has ended, with or without rows.
  const writer = openSync(path, constants.O_WRONLY)
  let figures: Figures | undefined
  const ended = run()
    .then((result) => {
      figures = result.figures
    })
    .finally(() => closeSync(writer))
  ended.catch(() => {})
  const held: Buffer[] = []
  let heldBytes = 0
  let begun = false
  const begin = async () => {
    begun = true
    sink.begin(format, compression, figures)
    for (const chunk of held) await sink.write(chunk)
  }
  for await (const chunk of reader as AsyncIterable<Buffer>) {
    if (sink.gone()) continue
    if (begun) {
      await sink.write(chunk)
    } else {
      held.push(chunk)
      heldBytes += chunk.length
      if (heldBytes > HOLD_BACK_BYTES) await begin()
    }
  }
  await ended
  if (!begun) await begin()
}

async function copy(source: Readable, sink: ResultSink): Promise<void> {
  for await (const chunk of source as AsyncIterable<Buffer>) {
    if (sink.gone()) return
    await sink.write(chunk)
  }
}
