import { constants, createInflate, createInflateRaw, inflateRawSync } from 'node:zlib'

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

/** Symbols of the code in which a dynamic block gives its other codes. */
const LENGTHS = 19
const SAMPLE_BYTES = 512

/**
 * Whether deflated data may begin at `at`. Two bytes of a zlib header meet by chance 60 times in a megabyte; what follows
 * them is then refused here, mostly without asking zlib.
 */
export function looksDeflated(data: Buffer, at: number): boolean {
  if (at + 5 > data.length) return false
  const type = (data[at]! >> 1) & 3
  if (type === 3) return false
  if (type === 0) return data.readUInt16LE(at + 1) === (~data.readUInt16LE(at + 3) & 0xffff)
  if (type === 2) return hasCompleteCode(data, at)
  try {
    const sample = data.subarray(at, at + SAMPLE_BYTES)
    return inflateRawSync(sample, { finishFlush: constants.Z_SYNC_FLUSH }).length > 0
  } catch {
    return false
  }
}

/** The code lengths of a dynamic block must fill the code exactly (Kraft's sum), which few random bytes do. */
function hasCompleteCode(data: Buffer, at: number): boolean {
  const bits = (offset: number, count: number): number => {
    let value = 0
    for (let i = 0; i < count; i++) {
      const bit = offset + i
      value |= (((data[at + (bit >> 3)] ?? 0) >> (bit & 7)) & 1) << i
    }
    return value
  }
  if (bits(3, 5) > 29 || bits(8, 5) > 29) return false
  const given = Math.min(bits(13, 4) + 4, LENGTHS)
  let sum = 0
  for (let i = 0; i < given; i++) {
    const length = bits(17 + i * 3, 3)
    if (length > 0) sum += 128 >> length
  }
  return sum === 128
}
