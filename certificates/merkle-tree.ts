import { EMPTY_ROOT, hashNode, siblingRanges, splitPoint, type TreeHead } from './merkle-proof.ts'

/** The writing half of RFC 6962's Merkle tree. Holds 64 bytes a leaf in memory; the log is re-read at start. */
export interface MerkleTree {
  size(): number
  /** Appends a leaf hash and returns its index. Amortised O(1). */
  append(leafHash: Uint8Array): number
  /** The head of the first `size` leaves; O(log n). */
  head(size?: number): TreeHead
  /** Hashes from the leaf's sibling up to the root's child. */
  inclusion(index: number, size?: number): Buffer[]
  consistency(older: number, size?: number): Buffer[]
  /** The hash of the complete subtree `[index · 2^height, (index + 1) · 2^height)`. */
  subtree(height: number, index: number): Buffer
}

export function createMerkleTree(leafHashes: Iterable<Uint8Array> = []): MerkleTree {
  // levels[h][i] is the hash of the i-th complete subtree of height h: every tile and proof is read out of these.
  const levels: Buffer[][] = [[]]
  const size = () => levels[0]!.length

  function append(leafHash: Uint8Array): number {
    levels[0]!.push(Buffer.from(leafHash))
    for (let height = 0; levels[height]!.length % 2 === 0; height++) {
      const [left, right] = levels[height]!.slice(-2)
      if (levels.length === height + 1) levels.push([])
      levels[height + 1]!.push(hashNode(left!, right!))
    }
    return size() - 1
  }

  function subtree(height: number, index: number): Buffer {
    const hash = levels[height]?.[index]
    if (!hash) throw new RangeError(`no complete subtree ${index} of height ${height} in a log of ${size()}`)
    return hash
  }

  /** Every range that the RFC splits off starts at a multiple of its width, so that complete ones are at hand. */
  function range(start: number, end: number): Buffer {
    const width = end - start
    const height = Math.log2(width)
    if (Number.isInteger(height)) return subtree(height, start / width)
    const middle = start + splitPoint(width)
    return hashNode(range(start, middle), range(middle, end))
  }

  function head(at = size()): TreeHead {
    if (at > size()) throw new RangeError(`a log of ${size()} has no head at ${at}`)
    return { size: at, root: at === 0 ? EMPTY_ROOT : range(0, at) }
  }

  function inclusion(index: number, at = size()): Buffer[] {
    if (index >= at || at > size()) throw new RangeError(`no leaf ${index} in a log of ${at}`)
    return siblingRanges(index, at).map(({ start, end }) => range(start, end))
  }

  function consistency(older: number, at = size()): Buffer[] {
    if (older > at || at > size()) throw new RangeError(`no way from ${older} to ${at} in a log of ${size()}`)
    return older === 0 ? [] : consistencyOf(older, 0, at)
  }

  function consistencyOf(older: number, start: number, end: number): Buffer[] {
    if (older === end) return start === 0 ? [] : [range(start, end)]
    const middle = start + splitPoint(end - start)
    return older <= middle
      ? [...consistencyOf(older, start, middle), range(middle, end)]
      : [...consistencyOf(older, middle, end), range(start, middle)]
  }

  for (const leafHash of leafHashes) append(leafHash)
  return { size, append, head, inclusion, consistency, subtree }
}
