import type { IncomingMessage } from 'node:http'
import { analyseQuery, type Statement } from './analyse-query.ts'
import { ClickHouseError } from './map-error.ts'
import type { QueryRequest } from './parse-request.ts'
import { type UnpackDeps, unpackBody } from './unpack-body.ts'

/** Longest statement text; the data of an INSERT does not count. */
const MAX_QUERY_BYTES = 16 << 20
/** An INSERT in the body must reach its FORMAT within this many bytes. */
const MAX_INSERT_HEAD_BYTES = 1 << 20

export interface ReadStatement {
  statement: Statement
  /** Data of an INSERT: what stood behind its FORMAT in the text, then the rest of the body. */
  data: AsyncIterable<Buffer> | undefined
}

/**
 * Finds the statement, in `query=` or at the head of the body, and the data that follows it.
 * Changes `request.inputCompression` to '' when it unpacked the body itself.
 */
export async function readStatement(
  deps: UnpackDeps,
  message: IncomingMessage,
  request: QueryRequest,
): Promise<ReadStatement> {
  const unpacked = () => {
    const { inputCompression } = request
    request.inputCompression = ''
    return unpackBody(deps, message, inputCompression)
  }
  if (request.query !== '') {
    const statement = analyseQuery(request.query)
    if (statement.dataStart === undefined) {
      const rest = await collect(unpacked(), MAX_QUERY_BYTES)
      // The real server reads the text as query + body.
      if (rest.length === 0) return { statement, data: undefined }
      return split(Buffer.concat([Buffer.from(`${request.query}\n`), rest]), undefined)
    }
    const inline = Buffer.from(request.query.slice(statement.dataStart).replace(/^\s+/, ''))
    if (inline.length === 0) return { statement, data: message as AsyncIterable<Buffer> }
    return { statement, data: chain(inline, unpacked()) }
  }
  const source = unpacked()[Symbol.asyncIterator]()
  const head: Buffer[] = []
  let size = 0
  let isInsert = false
  for (;;) {
    const next = await source.next()
    if (next.done) return split(Buffer.concat(head), undefined)
    head.push(next.value)
    size += next.value.length
    if (head.length === 1) isInsert = /^\s*insert\b/i.test(next.value.subarray(0, 1000).toString('latin1'))
    if (isInsert) {
      const all = Buffer.concat(head)
      const found = size > 64 ? tryInsert(all) : undefined
      if (found !== undefined) return split(all, { [Symbol.asyncIterator]: () => source })
      if (size > MAX_INSERT_HEAD_BYTES) isInsert = false
    }
    if (size > MAX_QUERY_BYTES) throw tooLong()
  }
}

/** Whether the bytes so far hold an INSERT up to its data. */
function tryInsert(bytes: Buffer): Statement | undefined {
  try {
    const statement = analyseQuery(bytes.toString('latin1'))
    // Data that starts right at the end may be a FORMAT name cut in two.
    return statement.dataStart !== undefined && statement.dataStart < bytes.length ? statement : undefined
  } catch {
    return undefined
  }
}

/** Splits text from data at byte offsets. */
function split(bytes: Buffer, rest: AsyncIterable<Buffer> | undefined): ReadStatement {
  const at = analyseQuery(bytes.toString('latin1')).dataStart
  if (at === undefined) return { statement: analyseQuery(bytes.toString('utf8')), data: undefined }
  const statement = analyseQuery(bytes.subarray(0, at).toString('utf8'))
  let start = at
  // Blanks and one line break part a FORMAT from its data; VALUES has its own way with blanks.
  while (bytes[start] === 0x20 || bytes[start] === 0x09) start += 1
  if (bytes[start] === 0x0d) start += 1
  if (bytes[start] === 0x0a) start += 1
  return { statement, data: chain(bytes.subarray(start), rest) }
}

async function* chain(first: Buffer, rest: AsyncIterable<Buffer> | undefined): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first
  if (rest !== undefined) yield* rest
}

async function collect(source: AsyncIterable<Buffer>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    size += chunk.length
    if (size > limit) throw tooLong()
  }
  return Buffer.concat(chunks)
}

function tooLong(): ClickHouseError {
  return new ClickHouseError(62, 'SYNTAX_ERROR', `Max query size exceeded: ${MAX_QUERY_BYTES} bytes`)
}
