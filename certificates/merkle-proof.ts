import { createHash } from 'node:crypto'

/**
 * The reading half of RFC 6962's Merkle tree: hashing and the checks of proofs. Sizes are exact up to 2^53; the code
 * follows the RFC's recursive definitions and uses no 32-bit operators.
 */

/** SHA-256 of nothing: the root of an empty log (RFC 6962, 2.1). */
export const EMPTY_ROOT = createHash('sha256').digest()

/** The prefixes 0x00 and 0x01 keep a node from being passed off as a leaf. */
export function hashLeaf(data: Uint8Array): Buffer {
  return createHash('sha256').update(LEAF).update(data).digest()
}

export function hashNode(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash('sha256').update(NODE).update(left).update(right).digest()
}

const LEAF = Buffer.from([0])
const NODE = Buffer.from([1])

/** The largest power of two below `size` (≥ 2): where the RFC divides a tree. */
export function splitPoint(size: number): number {
  let k = 1
  while (k * 2 < size) k *= 2
  return k
}

/** The root of a whole list of leaf hashes: O(n), for readers who hold every leaf. */
export function rootOf(leafHashes: readonly Uint8Array[]): Buffer {
  if (leafHashes.length === 0) return EMPTY_ROOT
  if (leafHashes.length === 1) return Buffer.from(leafHashes[0]!)
  const k = splitPoint(leafHashes.length)
  return hashNode(rootOf(leafHashes.slice(0, k)), rootOf(leafHashes.slice(k)))
}

/**
 * The leaves `[start, end)` that each hash of an inclusion proof stands for, in the proof's order: from the leaf's
 * sibling up to the root's child. Both index and size come from an attacker until the root is compared.
 */
export function siblingRanges(index: number, size: number): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = []
  let [start, end] = [0, size]
  while (end - start > 1) {
    const middle = start + splitPoint(end - start)
    if (index < middle) {
      ranges.unshift({ start: middle, end })
      end = middle
    } else {
      ranges.unshift({ start, end: middle })
      start = middle
    }
  }
  return ranges
}

/**
 * The root that an inclusion proof leads to.
 * @returns undefined when the proof has not exactly the length that index and size demand.
 */
export function rootFromInclusion(
  leafHash: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
): Buffer | undefined {
  if (!isIndex(index) || !isIndex(size) || index >= size) return undefined
  const ranges = siblingRanges(index, size)
  if (proof.length !== ranges.length) return undefined
  let hash: Buffer = Buffer.from(leafHash)
  for (const [at, range] of ranges.entries()) {
    const sibling = proof[at]!
    hash = range.start > index ? hashNode(hash, sibling) : hashNode(sibling, hash)
  }
  return hash
}

export interface TreeHead {
  size: number
  /** 32 bytes. */
  root: Buffer
}

/** Whether `newer` only appends to `older` (RFC 6962, 2.1.2). Nothing extends every log, with an empty proof. */
export function isConsistent(older: TreeHead, newer: TreeHead, proof: readonly Uint8Array[]): boolean {
  if (!isIndex(older.size) || !isIndex(newer.size) || older.size > newer.size) return false
  if (older.size === 0) return proof.length === 0 && older.root.equals(EMPTY_ROOT)
  const roots = foldConsistency(0, newer.size, older, [...proof])
  return roots?.older.equals(older.root) === true && roots.newer.equals(newer.root)
}

/** Rebuilds both roots of the subtree `[start, end)`, consuming the proof from its end. */
function foldConsistency(
  start: number,
  end: number,
  older: TreeHead,
  proof: Uint8Array[],
): { older: Buffer; newer: Buffer } | undefined {
  if (older.size === end) {
    // A complete old tree is known by its root; any other complete subtree is the proof's first hash.
    const hash = start === 0 ? older.root : proof.pop()
    if (!hash || proof.length > 0) return undefined
    return { older: Buffer.from(hash), newer: Buffer.from(hash) }
  }
  const sibling = proof.pop()
  if (!sibling) return undefined
  const middle = start + splitPoint(end - start)
  if (older.size <= middle) {
    const left = foldConsistency(start, middle, older, proof)
    return left && { older: left.older, newer: hashNode(left.newer, sibling) }
  }
  const right = foldConsistency(middle, end, older, proof)
  return right && { older: hashNode(sibling, right.older), newer: hashNode(sibling, right.newer) }
}

function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
