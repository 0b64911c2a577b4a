import { hash } from 'node:crypto'

const BLOCK = 64

/**
 * HMAC-SHA256 (RFC 2104) under one key. The padded key is laid out once and both passes are one-shot hashes, which costs
 * a third of `createHmac` for short texts; keyed-hash.test.ts holds it to the same output.
 */
export interface KeyedHash {
  /** Inner pad, then room for the message; outer pad, then room for the inner digest. */
  inner: Buffer
  readonly outer: Buffer
}

/** @param key at most 64 bytes (a longer one would have to be hashed first; ours have 32). */
export function createKeyedHash(key: Uint8Array): KeyedHash {
  if (key.length > BLOCK) throw new RangeError('key too long')
  const inner = Buffer.allocUnsafe(BLOCK + 960)
  const outer = Buffer.allocUnsafe(BLOCK + 32)
  for (let i = 0; i < BLOCK; i++) {
    const byte = key[i] ?? 0
    inner[i] = byte ^ 0x36
    outer[i] = byte ^ 0x5c
  }
  return { inner, outer }
}

/**
 * HMAC(key, label ‖ 0x00 ‖ text). A label has no NUL, so no two labels can meet.
 * @param label ASCII. @returns 32 bytes as a latin1 string: making Buffers costs more than hashing.
 */
export function hashText(keyed: KeyedHash, label: string, text: string): string {
  const at = writeLabel(keyed, label, text.length * 3)
  return finish(keyed, at + keyed.inner.write(text, at))
}

/** The same of raw bytes. */
export function hashBytes(keyed: KeyedHash, label: string, bytes: Uint8Array): string {
  const at = writeLabel(keyed, label, bytes.length)
  keyed.inner.set(bytes, at)
  return finish(keyed, at + bytes.length)
}

function writeLabel(keyed: KeyedHash, label: string, more: number): number {
  const bytes = BLOCK + label.length + 1 + more
  if (keyed.inner.length < bytes) {
    const larger = Buffer.allocUnsafe(bytes)
    keyed.inner.copy(larger, 0, 0, BLOCK)
    keyed.inner = larger
  }
  const { inner } = keyed
  for (let i = 0; i < label.length; i++) inner[BLOCK + i] = label.charCodeAt(i)
  inner[BLOCK + label.length] = 0
  return BLOCK + label.length + 1
}

function finish(keyed: KeyedHash, end: number): string {
  keyed.outer.write(hash('sha256', keyed.inner.subarray(0, end), 'binary'), BLOCK, 'latin1')
  return hash('sha256', keyed.outer, 'binary')
}
