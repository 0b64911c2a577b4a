/**
 * Decodes as much of a raw Snappy block as is well formed. @returns what was decoded; empty where no block begins here
 * @param limit bytes of output at most: the block says its own length, and what only looks like one says anything.
 */
export function decodeSnappy(source: Buffer, limit: number): Buffer {
  let at = 0
  let length = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = source[at++] ?? 0
    length += (byte & 127) * 2 ** shift
    if (byte < 128) break
  }
  if (length === 0 || length > limit) return Buffer.alloc(0)
  const target = Buffer.allocUnsafe(length)
  let out = 0
  while (at < source.length && out < length) {
    const tag = source[at++]!
    if ((tag & 3) === 0) {
      let literals = tag >> 2
      if (literals >= 60) {
        const bytes = literals - 59
        if (at + bytes > source.length) break
        literals = source.readUIntLE(at, bytes)
        at += bytes
      }
      const count = Math.min(literals + 1, source.length - at, length - out)
      source.copy(target, out, at, at + count)
      at += count
      out += count
      continue
    }
    const copy = readCopy(source, at, tag)
    at = copy.next
    if (copy.distance === 0 || copy.distance > out) break
    const end = Math.min(out + copy.count, length)
    for (; out < end; out++) target[out] = target[out - copy.distance]!
  }
  return target.subarray(0, out)
}

function readCopy(
  source: Buffer,
  at: number,
  tag: number,
): { distance: number; count: number; next: number } {
  const byte = (index: number) => source[at + index] ?? 0
  if ((tag & 3) === 1) {
    return { distance: ((tag >> 5) << 8) | byte(0), count: ((tag >> 2) & 7) + 4, next: at + 1 }
  }
  const count = (tag >> 2) + 1
  if ((tag & 3) === 2) return { distance: byte(0) | (byte(1) << 8), count, next: at + 2 }
  return {
    distance: byte(0) + byte(1) * 256 + byte(2) * 65_536 + byte(3) * 16_777_216,
    count,
    next: at + 4,
  }
}

/** Magic of the framing that Java's Snappy streams use, Kafka's among them. */
export const SNAPPY_JAVA_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])

/** Decodes a framed stream: magic, two versions, then blocks behind their lengths (big-endian). */
export function decodeSnappyJava(source: Buffer, limit: number): Buffer {
  const blocks: Buffer[] = []
  for (let at = 16; at + 4 < source.length; ) {
    const size = source.readUInt32BE(at)
    if (size === 0 || size > limit) break
    blocks.push(decodeSnappy(source.subarray(at + 4, at + 4 + size), limit))
    at += 4 + size
  }
  return Buffer.concat(blocks)
}
