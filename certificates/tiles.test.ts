import { expect, test } from 'vitest'
import { hashLeaf, rootOf } from './merkle-proof.ts'
import { createMerkleTree } from './merkle-tree.ts'
import { decodeBundle, encodeBundle, newEntryBundles, newTiles, tilePath } from './tiles.ts'

test('paths are those of the tlog-tiles specification', () => {
  expect(tilePath(0, 1_234_067)).toBe('tile/0/x001/x234/067')
  expect(tilePath(1, 0, 5)).toBe('tile/1/000.p/5')
  expect(tilePath('entries', 999, 256)).toBe('tile/entries/999')
  expect(tilePath(2, 1000)).toBe('tile/2/x001/000')
})

test('a log of 70,000 leaves has the tiles of the example in the specification', () => {
  const tree = createMerkleTree(Array.from({ length: 70_000 }, () => Buffer.alloc(32)))
  const paths = newTiles(tree, 0).map(({ path }) => path)
  expect(paths.filter((path) => path.startsWith('tile/0/') && !path.includes('.p/'))).toHaveLength(273)
  expect(paths.filter((path) => path.includes('.p/'))).toEqual([
    'tile/0/273.p/112',
    'tile/1/001.p/17',
    'tile/2/000.p/1',
  ])
  expect(paths).toContain('tile/1/000')
  expect(paths).toHaveLength(273 + 1 + 3)
})

test('a growing log writes only what is new, and every tile that its size demands', () => {
  const hashes = Array.from({ length: 600 }, (_, index) => hashLeaf(Buffer.from([index >> 8, index & 255])))
  const tree = createMerkleTree(hashes)
  expect(newTiles(tree, 255, 256).map(({ path }) => path)).toEqual(['tile/0/000', 'tile/1/000.p/1'])
  expect(newTiles(tree, 256, 257).map(({ path }) => path)).toEqual(['tile/0/001.p/1'])
  expect(newTiles(tree, 600, 600)).toEqual([])
  const [full] = newTiles(tree, 255, 256)
  const [, first] = newTiles(tree, 255, 256)
  const leaves = Array.from({ length: 256 }, (_, at) => full!.bytes.subarray(at * 32, at * 32 + 32))
  expect(first!.bytes).toEqual(rootOf(leaves))
})

test('bundles give back their entries, and one that is cut off is refused', () => {
  const entries = [Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(300, 7)]
  expect(decodeBundle(encodeBundle(entries))).toEqual(entries)
  expect(() => decodeBundle(encodeBundle(entries).subarray(0, -1))).toThrow(RangeError)
  const bundles = newEntryBundles((index) => Buffer.from(`${index}`), 250, 260)
  expect(bundles.map(({ path }) => path)).toEqual(['tile/entries/000', 'tile/entries/001.p/4'])
  expect(decodeBundle(bundles[1]!.bytes).map(String)).toEqual(['256', '257', '258', '259'])
})
