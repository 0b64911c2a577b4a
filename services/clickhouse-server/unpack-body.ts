import { createReadStream } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Engine } from './engine.ts'
import { quoteString } from './quote-sql.ts'
import type { SessionPool } from './session-pool.ts'
import type { Spool } from './spool-body.ts'

export interface UnpackDeps {
  engine: Engine
  pool: SessionPool
  spool: Spool
}

/**
 * The bytes of a packed body. Data alone stays packed, the engine unpacks it while it inserts; this is for bodies with a
 * statement inside. Node 20 knows gzip, deflate and Brotli; zstd, lz4 and xz go through the engine, whole.
 */
export function unpackBody(
  deps: UnpackDeps,
  message: IncomingMessage,
  encoding: string,
): AsyncIterable<Buffer> {
  if (encoding === '') return message
  const create = { gzip: createGunzip, deflate: createInflate, br: createBrotliDecompress }[encoding]
  if (create === undefined) return unpackByEngine(deps, message, encoding)
  const stream = create()
  message.on('error', (error) => stream.destroy(error))
  // Whoever reads it hears of the error; without a reader it must not end the process.
  stream.on('error', () => {})
  return message.pipe(stream)
}

async function* unpackByEngine(
  deps: UnpackDeps,
  message: IncomingMessage,
  encoding: string,
): AsyncGenerator<Buffer> {
  const packed = await deps.spool.write(message)
  const plain = deps.spool.resultPath()
  try {
    const source = `file(${quoteString(packed)}, 'RawBLOB', 'body String', '${encoding}')`
    const sql = `SELECT body FROM ${source} INTO OUTFILE '${plain}' TRUNCATE COMPRESSION 'none' FORMAT RawBLOB`
    await deps.pool.use(undefined, (connection) => deps.engine.query(connection, sql, 'RawBLOB'))
    yield* createReadStream(plain) as AsyncIterable<Buffer>
  } finally {
    deps.spool.remove(packed)
    deps.spool.remove(plain)
  }
}
