import { growOutput, takeOutput } from './output.ts'

/**
 * Decodes as much of a Postgres pglz body as is well formed: a control byte for eight items, each a literal or a reference of
 * two or three bytes.
 */
export function decodePglz(source: Buffer, rawBytes: number): Buffer {
  const target = growOutput(0, rawBytes)
  let out = 0
  let at = 0
  while (at < source.length && out < rawBytes) {
    let control = source[at++]!
    for (let item = 0; item < 8 && at < source.length && out < rawBytes; item++, control >>= 1) {
      if ((control & 1) === 0) {
        target[out++] = source[at++]!
        continue
      }
      const first = source[at]!
      let length = (first & 15) + 3
      const distance = ((first & 0xf0) << 4) | (source[at + 1] ?? 0)
      at += 2
      if (length === 18) length += source[at++] ?? 0
      if (distance === 0 || distance > out) return takeOutput(0, out)
      const end = Math.min(out + length, rawBytes)
      for (; out < end; out++) target[out] = target[out - distance]!
    }
  }
  return takeOutput(0, out)
}

/** A compressed value of a heap or a WAL record: four bytes of header, the length and method, then the body. */
export interface CompressedValue {
  /** 0 is pglz, 1 is LZ4. */
  method: number
  rawBytes: number
  body: Buffer
}

/** Values that fit in a page: longer ones are cut in chunks of their own, whose beginning is all that can be decoded. */
const PAGE = 8_192

/** @returns the value where `offset` may be the header of one; most such offsets are none */
export function readCompressedValue(data: Buffer, offset: number): CompressedValue | undefined {
  if (offset + 8 > data.length || (data[offset]! & 3) !== 2) return undefined
  const bytes = data.readUInt32LE(offset) >>> 2
  const info = data.readUInt32LE(offset + 4)
  const rawBytes = info & 0x3fff_ffff
  const method = info >>> 30
  const packed = bytes - 8
  // Postgres compresses what becomes a quarter smaller; an item of three bytes stands for 273 at most.
  if (packed < 8 || bytes > PAGE || rawBytes * 3 < packed * 4 || rawBytes > packed * 100 || method > 1)
    return undefined
  return { method, rawBytes, body: data.subarray(offset + 8, offset + bytes) }
}
