import { type DeflateKind, inflatePartly, looksDeflated, skipGzipHeader } from './inflate-partly.ts'
import { decodeLz4Block, decodeLz4Frame } from './lz4.ts'
import { decodePglz, readCompressedValue } from './pglz.ts'
import { decodeSnappyJava, SNAPPY_JAVA_MAGIC } from './snappy.ts'
import { decompressZstd } from './zstd.ts'

/** Something compressed that begins at an offset of some bytes. */
export interface Container {
  name: string
  open(): Buffer | Promise<Buffer>
}

/** Output of one container at most; none of our engines writes larger blocks. */
const LIMIT = 256 * 1024 * 1024
/** Uncompressed bytes of a ClickHouse block at most (max_compress_block_size, with room). */
const MAX_CLICKHOUSE_BLOCK = 64 * 1024 * 1024

const GZIP = 0x1f
const ZLIB = 0x78
const ZSTD = 0x28
const ZIP = 0x50
const LZ4_FRAME = 0x04
/** Method byte of ClickHouse's LZ4, and first byte of Snappy's Java framing. */
const CLICKHOUSE_LZ4 = 0x82
const ZLIB_SECOND: readonly number[] = [0x01, 0x5e, 0x9c, 0xda]

/** Bytes with which a container may begin; for the values of Postgres see find-patterns.ts. */
export const CONTAINER_HEADS: readonly number[] = [GZIP, ZLIB, ZSTD, ZIP, LZ4_FRAME, CLICKHOUSE_LZ4]

/**
 * Looks whether a container begins at `offset`. All are told by their own headers, wherever they lie: a Parquet page, a part of
 * ClickHouse, a record batch, a tar in a bucket, a heap page.
 */
export function containerAt(data: Buffer, offset: number): Container | undefined {
  switch (data[offset]) {
    case GZIP:
      if (data[offset + 1] === 0x8b && data[offset + 2] === 8)
        return inflate('gzip', 'deflate', data, skipGzipHeader(data, offset))
      return undefined
    case ZLIB:
      if (ZLIB_SECOND.includes(data[offset + 1] ?? 0) && looksDeflated(data, offset + 2))
        return inflate('zlib', 'zlib', data, offset)
      return undefined
    case ZSTD:
      if (matches(data, offset, [0xb5, 0x2f, 0xfd]))
        return { name: 'zstd', open: () => decompressZstd(data.subarray(offset), LIMIT) }
      return undefined
    case ZIP:
      if (matches(data, offset, [0x4b, 0x03, 0x04])) return zipEntry(data, offset)
      return undefined
    case LZ4_FRAME:
      if (matches(data, offset, [0x22, 0x4d, 0x18]))
        return { name: 'lz4', open: () => decodeLz4Frame(data.subarray(offset)) }
      return undefined
    case CLICKHOUSE_LZ4:
      return clickHouseBlock(data, offset) ?? snappyStream(data, offset) ?? postgresValue(data, offset)
    default:
      return postgresValue(data, offset)
  }
}

function matches(data: Buffer, offset: number, rest: readonly number[]): boolean {
  return rest.every((byte, i) => data[offset + 1 + i] === byte)
}

function inflate(name: string, kind: DeflateKind, data: Buffer, offset: number): Container {
  return { name, open: () => inflatePartly(kind, data.subarray(offset), LIMIT) }
}

function zipEntry(data: Buffer, offset: number): Container | undefined {
  if (offset + 30 > data.length || data.readUInt16LE(offset + 8) !== 8) return undefined
  const body = offset + 30 + data.readUInt16LE(offset + 26) + data.readUInt16LE(offset + 28)
  return inflate('zip', 'deflate', data, body)
}

/**
 * A block of ClickHouse: checksum (16), method, compressed size with these 9 bytes, uncompressed size. Its ZSTD blocks hold
 * a zstd frame, which is found by its own magic; several codecs in a row repeat the 9 bytes inside.
 */
function clickHouseBlock(data: Buffer, offset: number): Container | undefined {
  if (offset + 9 > data.length) return undefined
  const packed = data.readUInt32LE(offset + 1)
  const raw = data.readUInt32LE(offset + 5)
  if (packed < 10 || packed > MAX_CLICKHOUSE_BLOCK || raw === 0 || raw > MAX_CLICKHOUSE_BLOCK)
    return undefined
  if (raw > packed * 256) return undefined
  const body = data.subarray(offset + 9, offset + packed)
  return { name: 'clickhouse-lz4', open: () => decodeLz4Block(body, raw) }
}

function snappyStream(data: Buffer, offset: number): Container | undefined {
  const magic = SNAPPY_JAVA_MAGIC
  if (data.compare(magic, 0, magic.length, offset, Math.min(offset + magic.length, data.length)) !== 0)
    return undefined
  return { name: 'snappy', open: () => decodeSnappyJava(data.subarray(offset), LIMIT) }
}

function postgresValue(data: Buffer, offset: number): Container | undefined {
  const value = readCompressedValue(data, offset)
  if (!value) return undefined
  const { method, body, rawBytes } = value
  return method === 0
    ? { name: 'pglz', open: () => decodePglz(body, rawBytes) }
    : { name: 'postgres-lz4', open: () => decodeLz4Block(body, rawBytes) }
}
