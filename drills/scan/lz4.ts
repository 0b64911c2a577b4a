import { growOutput, takeOutput } from './output.ts'

/**
 * Decodes as much of an LZ4 block as is well formed: a torn or overwritten block still gives its beginning. Matches may reach
 * back into `history`, as linked blocks of a frame do.
 * @param limit bytes of output at most. @returns what was decoded, without the history
 */
export function decodeLz4Block(source: Buffer, limit: number, history: Buffer = Buffer.alloc(0)): Buffer {
  const first = history.length
  const most = first + limit
  let target = growOutput(0, first)
  history.copy(target)
  let out = first
  let at = 0
  const readLength = (nibble: number): number => {
    let length = nibble
    if (nibble === 15) {
      let byte: number
      do {
        byte = source[at++] ?? 0
        length += byte
      } while (byte === 255)
    }
    return length
  }
  while (at < source.length && out < most) {
    const token = source[at++]!
    const wanted = readLength(token >> 4)
    if (at > source.length) break
    const literals = Math.min(wanted, source.length - at, most - out)
    target = growOutput(out, out + literals)
    source.copy(target, out, at, at + literals)
    at += literals
    out += literals
    if (at + 2 > source.length) break
    const distance = source[at]! | (source[at + 1]! << 8)
    at += 2
    if (distance === 0 || distance > out) break
    const end = Math.min(out + readLength(token & 15) + 4, most)
    target = growOutput(out, end)
    for (; out < end; out++) target[out] = target[out - distance]!
  }
  return takeOutput(first, out)
}

const FRAME_WINDOW = 65_536
/** Sizes of blocks by the code in the frame's descriptor. */
const BLOCK_BYTES: Record<number, number> = { 4: 65_536, 5: 262_144, 6: 1_048_576, 7: 4_194_304 }

/** Decodes an LZ4 frame (magic 04 22 4d 18), as Kafka and the lz4 tool write them, as far as it is well formed. */
export function decodeLz4Frame(source: Buffer): Buffer {
  const flags = source[4] ?? 0
  const blockBytes = BLOCK_BYTES[((source[5] ?? 0) >> 4) & 7]
  if (flags >> 6 !== 1 || blockBytes === undefined) return Buffer.alloc(0)
  let at = 7 + ((flags & 8) !== 0 ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0)
  const blocks: Buffer[] = []
  let history: Buffer = Buffer.alloc(0)
  while (at + 4 <= source.length) {
    const header = source.readUInt32LE(at)
    at += 4
    const size = header & 0x7fff_ffff
    if (size === 0 || size > blockBytes) break
    const body = source.subarray(at, at + size)
    const isStored = header >>> 31 === 1
    const block = isStored ? body : decodeLz4Block(body, blockBytes, history)
    blocks.push(block)
    history = Buffer.concat([history, block]).subarray(-FRAME_WINDOW)
    at += size + ((flags & 16) !== 0 ? 4 : 0)
  }
  return Buffer.concat(blocks)
}
