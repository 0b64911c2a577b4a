import type { MerkleTree } from './merkle-tree.ts'

/** C2SP tlog-tiles: the log as immutable files. A full tile is 256 hashes of 32 bytes. */

const WIDTH = 256
const HEIGHT = 8

/** A file below the log's prefix. */
export interface TileFile {
  path: string
  bytes: Buffer
}

/** `tile/<level>/<index>[.p/<width>]`; level `entries` for the bundles of leaves. Width 256 is a full tile. */
export function tilePath(level: number | 'entries', index: number, width: number = WIDTH): string {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, '0')
  const groups = digits.match(/\d{3}/g) ?? []
  const name = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/')
  return `tile/${level}/${name}${width < WIDTH ? `.p/${width}` : ''}`
}

/**
 * The tiles that a log of `size` leaves has and one of `olderSize` had not: what to write before the checkpoint of
 * `size` is published. A reader of that checkpoint finds everything it needs, whatever fails afterwards.
 */
export function newTiles(tree: MerkleTree, olderSize: number, size: number = tree.size()): TileFile[] {
  return newRanges(olderSize, size).map(({ level, index, width }) => {
    const hashes = Array.from({ length: width }, (_, at) => tree.subtree(level * HEIGHT, index * WIDTH + at))
    return { path: tilePath(level, index, width), bytes: Buffer.concat(hashes) }
  })
}

/**
 * The bundles of entries that go with `newTiles`.
 * @param entries by index: the leaf's bytes, at most 65,535.
 */
export function newEntryBundles(
  entries: (index: number) => Uint8Array,
  olderSize: number,
  size: number,
): TileFile[] {
  return levelRanges(0, olderSize, size).map(({ index, width }) => ({
    path: tilePath('entries', index, width),
    bytes: encodeBundle(Array.from({ length: width }, (_, at) => entries(index * WIDTH + at))),
  }))
}

/** Each entry behind its length, two bytes big-endian. */
export function encodeBundle(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(entry.length)
      return [length, entry]
    }),
  )
}

/** @throws RangeError when the bundle ends inside an entry. */
export function decodeBundle(bundle: Uint8Array): Buffer[] {
  const bytes = Buffer.from(bundle)
  const entries: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + bytes.readUInt16BE(at)
    if (end > bytes.length) throw new RangeError('a bundle that ends inside an entry')
    entries.push(bytes.subarray(at + 2, end))
    at = end
  }
  return entries
}

interface TileRange {
  level: number
  index: number
  width: number
}

function newRanges(olderSize: number, size: number): TileRange[] {
  const ranges: TileRange[] = []
  for (let level = 0; WIDTH ** level <= size; level++) ranges.push(...levelRanges(level, olderSize, size))
  return ranges
}

function levelRanges(level: number, olderSize: number, size: number): TileRange[] {
  const hashes = Math.floor(size / WIDTH ** level)
  const olderHashes = Math.floor(olderSize / WIDTH ** level)
  if (hashes === olderHashes) return []
  const ranges: TileRange[] = []
  for (let index = Math.floor(olderHashes / WIDTH); index * WIDTH < hashes; index++) {
    ranges.push({ level, index, width: Math.min(WIDTH, hashes - index * WIDTH) })
  }
  return ranges
}
