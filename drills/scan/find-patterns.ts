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
const BITS = 24
const POSTGRES_VALUE_MASK = 0xffff_8003 | 0
const POSTGRES_VALUE = 2

/**
 * A window of eight bytes rolls over the data; its hash is looked up in a bitmap of 2^24 bits, which says "no" for nearly
 * every offset in a few machine instructions, however many patterns there are.
 * @param heads bytes at which `onHead` is to be called.
 */
export function createPatternFinder(
  patterns: readonly Pattern[],
  heads: readonly number[] = [],
): PatternFinder {
  const bitmap = new Int32Array(2 ** (BITS - 5))
  const byWindow = new Map<string, Pattern[]>()
  for (const pattern of patterns) {
    if (pattern.bytes.length < WINDOW) throw new RangeError(`a pattern needs ${WINDOW} bytes`)
    const hash = hashWindow(pattern.bytes.readInt32LE(0), pattern.bytes.readInt32LE(4))
    bitmap[hash >>> 5]! |= 1 << (hash & 31)
    const key = pattern.bytes.toString('latin1', 0, WINDOW)
    const others = byWindow.get(key)
    if (others) others.push(pattern)
    else byWindow.set(key, [pattern])
  }
  const isHead = new Uint8Array(256)
  for (const head of heads) isHead[head] = 1

  return {
    find(data, onMatch, onHead) {
      let low = 0
      let high = 0
      for (let i = 0; i < data.length; i++) {
        const byte = data[i]!
        low = (low >>> 8) | (high << 24)
        high = (high >>> 8) | (byte << 24)
        const hash = (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca77)) >>> (32 - BITS)
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
  return (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca77)) >>> (32 - BITS)
}
