import type pg from 'pg'
import { EbbError } from '../runtime/errors.ts'

const CHUNK_BYTES = 8 << 20

/**
 * A file of the server's data folder, over the connection, in chunks; exactly `bytes` of it. A file that grew is cut and one
 * that shrank is filled with zeros: the log that is replayed over the copy has what changed. Needs a superuser, or the right
 * to execute pg_read_binary_file.
 */
export async function* readServerFile(
  client: pg.Client,
  path: string,
  bytes: number,
): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes; at += CHUNK_BYTES) {
    const wanted = Math.min(CHUNK_BYTES, bytes - at)
    const chunk = await readChunk(client, path, at, wanted)
    yield chunk
    if (chunk.length < wanted) yield Buffer.alloc(wanted - chunk.length)
  }
}

async function readChunk(client: pg.Client, path: string, at: number, bytes: number): Promise<Buffer> {
  // The driver reads text only; base64 is a third longer than the bytes, its own hex twice as long.
  const query = {
    text: `SELECT encode(pg_read_binary_file($1, $2, $3, true), 'base64') AS chunk`,
    values: [path, at, bytes],
  }
  const { rows } = await client.query<{ chunk: string | null }>(query).catch((error: { code?: string }) => {
    throw new EbbError(
      'backup_failed',
      `Postgres does not let a file be read (SQLSTATE ${error.code ?? '?'})`,
    )
  })
  return Buffer.from(rows[0]?.chunk ?? '', 'base64')
}
