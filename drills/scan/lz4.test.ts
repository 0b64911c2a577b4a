import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { decodeLz4Block, decodeLz4Frame } from './lz4.ts'

// The package has no types.
const lz4 = createRequire(import.meta.url)('lz4js') as {
  compressBound(bytes: number): number
  compressBlock(from: Buffer, to: Buffer, start: number, length: number, table: Uint32Array): number
}

/** Half of it repeats what came just before, half is new. */
const text = (bytes: number) => {
  const chunks: Buffer[] = []
  for (let size = 0; size < bytes; size += 2_000) {
    const chunk = randomBytes(1_000)
    chunks.push(chunk, chunk)
  }
  return Buffer.concat(chunks).subarray(0, bytes)
}

function compress(raw: Buffer): Buffer {
  const packed = Buffer.alloc(lz4.compressBound(raw.length))
  return packed.subarray(0, lz4.compressBlock(raw, packed, 0, raw.length, new Uint32Array(65_536)))
}

/** A frame of blocks of 4 MB at most. @param isStored blocks that are left as they are */
function frameOf(blocks: readonly Buffer[], isStored = false): Buffer {
  const parts = blocks.map((block) => {
    const header = Buffer.alloc(4)
    header.writeUInt32LE(isStored ? (block.length | 0x8000_0000) >>> 0 : block.length)
    return Buffer.concat([header, block])
  })
  return Buffer.concat([Buffer.from([4, 0x22, 0x4d, 0x18, 0x40, 0x70, 0]), ...parts, Buffer.alloc(4)])
}

describe('LZ4', () => {
  it('decodes blocks of a few kilobytes to many megabytes, one after the other, and keeps what it gave before', () => {
    const texts = [4_000, 5_000_000, 30_000, 9_000_000, 1_200_000].map(text)
    const decoded = texts.map((raw) => decodeLz4Block(compress(raw), raw.length))
    for (const [index, raw] of texts.entries()) expect(decoded[index]!.equals(raw)).toBe(true)
  })

  it('decodes a frame whose blocks reach back into the ones before', () => {
    const first = text(4_000_000)
    // 100 literals, then 65,000 bytes of what came 60,000 bytes before.
    const literals = randomBytes(100)
    const linked = Buffer.concat([
      Buffer.from([0xff, 85]),
      literals,
      Buffer.from([60_000 & 255, 60_000 >> 8]),
      Buffer.alloc(254, 255),
      Buffer.from([65_000 - 19 - 254 * 255]),
    ])
    const before = Buffer.concat([first, literals])
    const back = Buffer.alloc(65_000)
    for (let i = 0; i < back.length; i++) {
      const at = before.length - 60_000 + i
      back[i] = at < before.length ? before[at]! : back[at - before.length]!
    }
    const found = decodeLz4Frame(frameOf([compress(first), linked]))
    expect(found.equals(Buffer.concat([before, back]))).toBe(true)
  })

  it('takes no memory for what a block only claims', () => {
    const claimed = 64 * 1024 * 1024
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 100; i++)
      expect(decodeLz4Block(randomBytes(40), claimed).length).toBeLessThan(claimed)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(claimed)
  })
})
