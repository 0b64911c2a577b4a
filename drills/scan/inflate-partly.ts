import { createInflate, createInflateRaw } from 'node:zlib'

const OPENERS = { zlib: createInflate, deflate: createInflateRaw } as const
export type DeflateKind = keyof typeof OPENERS

const CHUNK_BYTES = 65_536
/** The smallest that zlib takes: at damage the chunk on its way is lost. */
const LAST_CHUNK_BYTES = 64

/**
 * Inflates as much as is well formed: what was torn or partly overwritten still gives its beginning, and bytes behind the end
 * are left alone. @param limit bytes of output at most
 */
export async function inflatePartly(kind: DeflateKind, source: Buffer, limit: number): Promise<Buffer> {
  const first = await inflate(kind, source, limit, CHUNK_BYTES)
  return first.isDamaged ? (await inflate(kind, source, limit, LAST_CHUNK_BYTES)).bytes : first.bytes
}

async function inflate(
  kind: DeflateKind,
  source: Buffer,
  limit: number,
  chunkSize: number,
): Promise<{ bytes: Buffer; isDamaged: boolean }> {
  const stream = OPENERS[kind]({ chunkSize })
  const chunks: Buffer[] = []
  let bytes = 0
  const isDamaged = await new Promise<boolean>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > limit) stream.destroy()
    })
    stream.once('error', () => resolve(true))
    stream.once('close', () => resolve(false))
    stream.end(source)
  })
  return { bytes: Buffer.concat(chunks), isDamaged }
}

/** @returns offset of the deflated data behind the header of a gzip member that begins at `offset` */
export function skipGzipHeader(data: Buffer, offset: number): number {
  const flags = data[offset + 3] ?? 0
  let at = offset + 10
  if ((flags & 4) !== 0 && at + 2 <= data.length) at += 2 + data.readUInt16LE(at)
  for (const flag of [8, 16]) if ((flags & flag) !== 0) at = data.indexOf(0, at) + 1 || data.length
  return (flags & 2) !== 0 ? at + 2 : at
}
