import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ClickHouseError } from './map-error.ts'

/** A native connection; opaque. */
export type Connection = unknown

interface NativeResult {
  bytes: Uint8Array
  /** Seconds. */
  elapsed: number
  rowsRead: number
  bytesRead: number
}

interface Native {
  CreateConnection(path: string, args: string[]): Connection
  CloseConnection(connection: Connection): void
  QueryAsyncConnection(connection: Connection, sql: string, format: string): Promise<NativeResult>
  InsertRawAsyncConnection(
    connection: Connection,
    sql: string,
    data: Buffer,
    countLines: boolean,
  ): Promise<{ rowsWritten: number; bytesWritten: number; elapsed: number }>
}

/** Figures of one statement, as `X-ClickHouse-Summary` tells them. */
export interface Figures {
  readRows: number
  readBytes: number
  writtenRows: number
  writtenBytes: number
  elapsedSeconds: number
}

export interface Engine {
  /** Opens a connection with settings, parameters and temporary tables of its own (0.15 ms). */
  connect(): Connection
  /** Closes a connection. Never while a statement runs on it: that aborts the engine for the whole process. */
  close(connection: Connection): void
  /** Runs a statement. @throws the engine's own error, `Code: N. DB::Exception: …`. */
  query(connection: Connection, sql: string, format: string): Promise<{ bytes: Buffer; figures: Figures }>
  /** Runs an INSERT that takes its data from a file. */
  insert(connection: Connection, sql: string): Promise<Figures>
  /** Closes the last connection and with it the engine. Nothing may run any more. */
  shutDown(): void
}

/**
 * Opens the engine on a data folder. The binding's `Session` is left aside for its native calls: closing a `Session`
 * waits for the statements of all the others, which piles up behind one slow query.
 * @throws the engine's error 76 when another process holds the folder.
 */
export function openEngine(dataPath: string, configFile: string): Engine {
  const require = createRequire(import.meta.url)
  const loader = join(require.resolve('chdb'), '..', 'dist', 'loader.js')
  const native = (require(loader) as { loadNative(): Native }).loadNative()
  const connect = () => native.CreateConnection(dataPath, [`--config-file=${configFile}`])
  // Keeps the engine up between requests; the last connection to close would stop it.
  const anchor = connect()
  return {
    connect,
    close: (connection) => native.CloseConnection(connection),
    shutDown: () => native.CloseConnection(anchor),
    async query(connection, sql, format) {
      const result = await native.QueryAsyncConnection(connection, whole(sql), format)
      const figures = {
        readRows: result.rowsRead,
        readBytes: result.bytesRead,
        writtenRows: 0,
        writtenBytes: 0,
        elapsedSeconds: result.elapsed,
      }
      return {
        bytes: Buffer.from(result.bytes.buffer, result.bytes.byteOffset, result.bytes.byteLength),
        figures,
      }
    },
    async insert(connection, sql) {
      const result = await native.InsertRawAsyncConnection(connection, whole(sql), Buffer.alloc(0), false)
      return {
        readRows: result.rowsWritten,
        readBytes: result.bytesWritten,
        writtenRows: result.rowsWritten,
        writtenBytes: result.bytesWritten,
        elapsedSeconds: result.elapsed,
      }
    },
  }
}

/** The native side reads a text up to its first NUL: what follows would be dropped unseen. */
function whole(sql: string): string {
  if (sql.includes('\0'))
    throw new ClickHouseError(62, 'SYNTAX_ERROR', 'Syntax error: NUL in the text of a query')
  return sql
}
