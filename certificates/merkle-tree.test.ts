import { describe, expect, test } from 'vitest'
import { EMPTY_ROOT, hashLeaf, isConsistent, rootFromInclusion, rootOf } from './merkle-proof.ts'
import { createMerkleTree } from './merkle-tree.ts'

/** The reference leaves of Certificate Transparency and the roots of their first n. */
const REFERENCE = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
]
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const SIZE = 37
const hashes = Array.from({ length: SIZE }, (_, index) => hashLeaf(Buffer.from(`leaf ${index}`)))
const tree = createMerkleTree(hashes)

test('the roots are those of RFC 6962', () => {
  const reference = createMerkleTree(REFERENCE.map((leaf) => hashLeaf(Buffer.from(leaf, 'hex'))))
  expect(ROOTS.map((_, size) => reference.head(size).root.toString('hex'))).toEqual(ROOTS)
})

test('the tree that grows leaf by leaf has the roots of the definition', () => {
  for (let size = 0; size <= SIZE; size++) expect(tree.head(size).root).toEqual(rootOf(hashes.slice(0, size)))
})

describe('inclusion', () => {
  test('each leaf of each size is proved, and at no other index', () => {
    for (let size = 1; size <= SIZE; size++) {
      const { root } = tree.head(size)
      for (let index = 0; index < size; index++) {
        const proof = tree.inclusion(index, size)
        expect(rootFromInclusion(hashes[index]!, index, size, proof)).toEqual(root)
        for (let other = 0; other < size; other++) {
          if (other === index) continue
          expect(rootFromInclusion(hashes[index]!, other, size, proof)?.equals(root) ?? false).toBe(false)
        }
      }
    }
  })

  test('a proof that is too short, too long or for an impossible index leads nowhere', () => {
    const proof = tree.inclusion(5)
    expect(rootFromInclusion(hashes[5]!, 5, SIZE, proof.slice(1))).toBeUndefined()
    expect(rootFromInclusion(hashes[5]!, 5, SIZE, [...proof, EMPTY_ROOT])).toBeUndefined()
    for (const index of [-1, 1.5, SIZE, Number.NaN, 2 ** 60]) {
      expect(rootFromInclusion(hashes[5]!, index, SIZE, proof)).toBeUndefined()
    }
  })

  test('sizes beyond 32 bits are counted exactly', () => {
    const size = 2 ** 40 + 1
    expect(rootFromInclusion(hashes[0]!, size - 1, size, [EMPTY_ROOT])).toBeDefined()
    expect(rootFromInclusion(hashes[0]!, size - 2, size, [EMPTY_ROOT])).toBeUndefined()
  })
})

describe('consistency', () => {
  test('each pair of sizes is proved', () => {
    for (let newer = 0; newer <= SIZE; newer++) {
      for (let older = 0; older <= newer; older++) {
        const proof = tree.consistency(older, newer)
        expect(isConsistent(tree.head(older), tree.head(newer), proof)).toBe(true)
        if (proof.length > 0)
          expect(isConsistent(tree.head(older), tree.head(newer), proof.slice(1))).toBe(false)
        expect(isConsistent(tree.head(older), tree.head(newer), [...proof, EMPTY_ROOT])).toBe(false)
      }
    }
  })

  test('a log that changed one old leaf is never consistent', () => {
    for (let changed = 0; changed < 20; changed++) {
      const forged = createMerkleTree(hashes.with(changed, EMPTY_ROOT))
      expect(isConsistent(tree.head(20), forged.head(), forged.consistency(20))).toBe(false)
      expect(isConsistent(tree.head(20), forged.head(), tree.consistency(20))).toBe(false)
    }
  })

  test('a smaller log never follows a larger one', () => {
    expect(isConsistent(tree.head(20), tree.head(19), tree.consistency(19, 20))).toBe(false)
  })

  test('only the empty root stands for nothing', () => {
    expect(isConsistent({ size: 0, root: hashes[0]! }, tree.head(), [])).toBe(false)
  })
})
