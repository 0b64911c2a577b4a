import { hash } from 'node:crypto'

const BLOCK = 64

/**
 * HMAC-SHA256 (RFC 2104) under one key. The padded key is laid out once and both passes are one-shot hashes, which costs
 * a third of `createHmac` for short texts; keyed-hash.test.ts holds it to the same output.
 */
export interface KeyedHash {
  /**
   * HMAC(key, label ‖ 0x00 ‖ text). A label has no NUL, so no two labels can meet.
   * @param label ASCII. @returns 32 bytes as a latin1 string: making Buffers costs more than hashing.
   */
  latin1(label: string, text: string): string
  /** The same of raw bytes. */
  ofBytes(label: string, bytes: Uint8Array): string
}

/** @param key at most 64 bytes (a longer one would have to be hashed first; ours have 32). */
export function createKeyedHash(key: Uint8Array): KeyedHash {
  if (key.length > BLOCK) throw new RangeError('key too long')
  let inner = Buffer.allocUnsafe(BLOCK + 1024)
  const outer = Buffer.allocUnsafe(BLOCK + 32)
  for (let i = 0; i < BLOCK; i++) {
    const byte = key[i] ?? 0
    inner[i] = byte ^ 0x36
    outer[i] = byte ^ 0x5c
  }

  function reserve(bytes: number): void {
    if (inner.length >= bytes) return
    const larger = Buffer.allocUnsafe(bytes)
    inner.copy(larger, 0, 0, BLOCK)
    inner = larger
  }

  function finish(end: number): string {
    outer.write(hash('sha256', inner.subarray(0, end), 'binary'), BLOCK, 'latin1')
    return hash('sha256', outer, 'binary')
  }

  function start(label: string, bytes: number): number {
    reserve(BLOCK + label.length + 1 + bytes)
    const at = BLOCK + inner.write(label, BLOCK, 'latin1')
    inner[at] = 0
    return at + 1
  }

  return {
    latin1(label, text) {
      const at = start(label, text.length * 3)
      return finish(at + inner.write(text, at))
    },
    ofBytes(label, bytes) {
      const at = start(label, bytes.length)
      inner.set(bytes, at)
      return finish(at + bytes.length)
    },
  }
}
