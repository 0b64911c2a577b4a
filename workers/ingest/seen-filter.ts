/** Bits of a block: 1 MB. */
const BLOCK_BITS = 2 ** 23
/** At 16 bits and 8 probes a key a full block is wrong 6 times in 10,000; all blocks together once in 15. */
const BLOCK_KEYS = BLOCK_BITS / 16
const PROBES = 8
const HOUR_MS = 3_600_000

export interface SeenFilter {
  /** @param batch 16 uniform bytes. @param at milliseconds since 1970, rounded down to the hour it expires with */
  add(batch: Buffer, at: number): void
  /** False: certainly not among the last 24 hours' batches. True: ask ClickHouse. */
  mayContain(batch: Buffer): boolean
  /** All that was seen before has been added. Until then, and once the memory is full, every batch may be contained. */
  markLoaded(): void
  /** No more than this will be added of what was seen before `at`: exact again once that is older than the window. */
  markPartlyLoaded(at: number): void
  /** A batch that may still be retried found no room. */
  isFull(): boolean
  isExact(): boolean
  blocks(): number
  expire(now: number): void
}

/**
 * Bloom filters of an hour each, in blocks that are made as they fill. It saves look-ups and decides nothing: when it
 * cannot say no, ClickHouse is asked.
 */
export function createSeenFilter(options: { maxBlocks: () => number; windowMs: number }): SeenFilter {
  const hours = new Map<number, { bits: Uint32Array; keys: number }[]>()
  let count = 0
  let loaded = false
  let now = 0
  // The latest batch that found no room: until it is too old to matter, no answer of the filter is a certain no.
  let missedAt = Number.NEGATIVE_INFINITY
  const isExact = () => loaded && missedAt < now - options.windowMs

  const expire = (time: number) => {
    now = time
    const oldest = Math.floor((now - options.windowMs) / HOUR_MS)
    for (const [hour, blocks] of hours) {
      if (hour >= oldest) continue
      count -= blocks.length
      hours.delete(hour)
    }
  }
  const blockFor = (hour: number) => {
    const blocks = hours.get(hour) ?? []
    const last = blocks.at(-1)
    if (last && last.keys < BLOCK_KEYS) return last
    if (count >= options.maxBlocks()) return undefined
    const block = { bits: new Uint32Array(BLOCK_BITS / 32), keys: 0 }
    blocks.push(block)
    hours.set(hour, blocks)
    count++
    return block
  }
  return {
    add(batch, at) {
      // A load that is tried again, or a batch that comes twice, takes its room once. Only its own hour counts: another
      // hour's bits are forgotten at another time.
      const [known, knownStep] = [batch.readUInt32LE(0), batch.readUInt32LE(4) | 1]
      if (hours.get(Math.floor(at / HOUR_MS))?.some(({ bits }) => holds(bits, known, knownStep))) return
      const block = blockFor(Math.floor(at / HOUR_MS))
      if (!block) {
        missedAt = Math.max(missedAt, at)
        return
      }
      block.keys++
      let bit = batch.readUInt32LE(0)
      const step = batch.readUInt32LE(4) | 1
      for (let probe = 0; probe < PROBES; probe++) {
        const at = bit & (BLOCK_BITS - 1)
        block.bits[at >>> 5]! |= 1 << (at & 31)
        bit = (bit + step) | 0
      }
    },
    mayContain(batch) {
      if (!isExact()) return true
      const first = batch.readUInt32LE(0)
      const step = batch.readUInt32LE(4) | 1
      for (const blocks of hours.values())
        for (const { bits } of blocks) if (holds(bits, first, step)) return true
      return false
    },
    markLoaded: () => {
      loaded = true
    },
    markPartlyLoaded(at) {
      loaded = true
      missedAt = Math.max(missedAt, at)
    },
    isFull: () => missedAt >= now - options.windowMs,
    isExact,
    blocks: () => count,
    expire,
  }
}

function holds(bits: Uint32Array, first: number, step: number): boolean {
  let bit = first
  for (let probe = 0; probe < PROBES; probe++) {
    const at = bit & (BLOCK_BITS - 1)
    if ((bits[at >>> 5]! & (1 << (at & 31))) === 0) return false
    bit = (bit + step) | 0
  }
  return true
}
