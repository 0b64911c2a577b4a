/** A byte string that is looked for; `id` is the caller's. At least 8 bytes. */
export interface Pattern {
  bytes: Buffer
  id: number
}

/** Looks for thousands of patterns at once, in one pass over the bytes. */
export interface PatternFinder {
  /**
   * @param onMatch called with the pattern's id and its offset.
   * @param onHead called for each offset where a container may begin: its byte is in `heads`, or the four bytes there are a
   *   little-endian number below 32,768 that ends in the bits 10, as a compressed value of Postgres has it
   */
  find(data: Buffer, onMatch: (id: number, offset: number) => void, onHead?: (offset: number) => void): void
}

const WINDOW = 8
/** A bitmap that fits the processor's nearest cache while the patterns are few; one bit in 256 is set, or fewer. */
const LEAST_BITS = 14
const MOST_BITS = 24
const SPARSE_BITS = 8
const POSTGRES_VALUE_MASK = 0xffff_8003 | 0
const POSTGRES_VALUE = 2

/**
 * A window of eight bytes rolls over the data; its hash is looked up in a bitmap, which says "no" for nearly every offset in a
 * few machine instructions, however many patterns there are. Zeros, with which engines fill their files, are passed by words.
 * @param heads bytes at which `onHead` is to be called.
 */
export function createPatternFinder(
  patterns: readonly Pattern[],
  heads: readonly number[] = [],
): PatternFinder {
  const bits = Math.min(
    MOST_BITS,
    Math.max(LEAST_BITS, SPARSE_BITS + Math.ceil(Math.log2(patterns.length + 1))),
  )
  const shift = 32 - bits
  const bitmap = new Int32Array(2 ** (bits - 5))
  const byWindow = new Map<string, Pattern[]>()
  for (const pattern of patterns) {
    if (pattern.bytes.length < WINDOW) throw new RangeError(`a pattern needs ${WINDOW} bytes`)
    const hash = hashWindow(pattern.bytes.readInt32LE(0), pattern.bytes.readInt32LE(4)) >>> shift
    bitmap[hash >>> 5]! |= 1 << (hash & 31)
    const key = pattern.bytes.toString('latin1', 0, WINDOW)
    const others = byWindow.get(key)
    if (others) others.push(pattern)
    else byWindow.set(key, [pattern])
  }
  const isHead = new Uint8Array(256)
  for (const head of heads) isHead[head] = 1
  const areZerosSought = isHead[0] === 1 || byWindow.has('\0'.repeat(WINDOW))

  return {
    find(data, onMatch, onHead) {
      const { words, start } = alignedWords(data)
      let low = 0
      let high = 0
      for (let i = 0; i < data.length; i++) {
        const byte = data[i]!
        low = (low >>> 8) | (high << 24)
        high = (high >>> 8) | (byte << 24)
        if ((low | high) === 0 && !areZerosSought) {
          // The bytes of the next byte's word that come before it are zeros of this window.
          let word = (i + 1 - start) >> 2
          while (words[word] === 0) word++
          i = Math.max(i, start + word * 4 - 1)
          continue
        }
        const hash = hashWindow(low, high) >>> shift
        if ((bitmap[hash >>> 5]! & (1 << (hash & 31))) !== 0 && i >= WINDOW - 1) {
          const start = i - WINDOW + 1
          for (const pattern of byWindow.get(data.toString('latin1', start, i + 1)) ?? []) {
            const { bytes } = pattern
            if (
              data.compare(bytes, 0, bytes.length, start, Math.min(start + bytes.length, data.length)) === 0
            )
              onMatch(pattern.id, start)
          }
        }
        if (isHead[byte] === 1) onHead?.(i)
        if ((high & POSTGRES_VALUE_MASK) === POSTGRES_VALUE) onHead?.(i - 3)
      }
    },
  }
}

function hashWindow(low: number, high: number): number {
  return Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca77)
}

/** The words of some bytes that lie where words may lie; the first one begins at `start`. */
function alignedWords({ buffer, byteOffset, length }: Buffer): { words: Int32Array; start: number } {
  const start = (4 - (byteOffset & 3)) & 3
  const count = (length - start) >> 2
  return { words: count > 0 ? new Int32Array(buffer, byteOffset + start, count) : new Int32Array(0), start }
}
