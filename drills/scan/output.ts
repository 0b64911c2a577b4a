/**
 * Where LZ4 and pglz are decoded, one after the other. Most of what looks like a compressed block is none and says any length: room
 * for it is made when there is something to write, or each would cost memory that the garbage collector then comes for.
 */
let output = Buffer.allocUnsafe(1024 * 1024)

/** @returns room for `bytes`, with what was written so far: the first `written` bytes */
export function growOutput(written: number, bytes: number): Buffer {
  if (bytes <= output.length) return output
  const grown = Buffer.allocUnsafe(Math.max(bytes, output.length * 2))
  output.copy(grown, 0, 0, written)
  output = grown
  return output
}

/** @returns a copy: the room is the next decoder's */
export const takeOutput = (from: number, to: number): Buffer => Buffer.from(output.subarray(from, to))
