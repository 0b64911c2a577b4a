import { CertificateError } from './certificate-error.ts'

/** What JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** A certificate is a page, not a database: what is larger or deeper than this is an attack on the reader. */
const MAX_BYTES = 1 << 20
const MAX_DEPTH = 32

/**
 * RFC 8785 (JSON Canonicalization Scheme). Numbers and strings are ECMAScript's own serialisation, which the RFC takes
 * over; keys are sorted by UTF-16 code units, which is what `sort()` does.
 * @throws CertificateError `not-canonical` for what has no canonical form: NaN, infinities, lone surrogates, undefined.
 */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH) throw new CertificateError('not-canonical', `nested deeper than ${MAX_DEPTH}`)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return canonicalNumber(value)
  if (typeof value === 'string') return canonicalString(value)
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`
  if (typeof value !== 'object') throw new CertificateError('not-canonical', `JSON has no ${typeof value}`)
  const entries = value as Record<string, unknown>
  const members = Object.keys(entries)
    .sort()
    .map((key) => `${canonicalString(key)}:${canonicalJson(entries[key], depth + 1)}`)
  return `{${members.join(',')}}`
}

/**
 * Reads canonical JSON and nothing else. Writing again what was read must give the same bytes: this one comparison
 * refuses duplicate keys, whitespace, other orders, other number forms and other escapes, so that a signed text has
 * exactly one spelling.
 * @throws CertificateError `too-large`, `not-utf8`, `not-canonical`.
 */
export function parseCanonicalJson(bytes: Uint8Array): Json {
  const text = decodeUtf8(bytes)
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch (cause) {
    throw new CertificateError('not-canonical', 'not JSON', { cause })
  }
  if (canonicalJson(value) !== text) throw new CertificateError('not-canonical', 'not in canonical form')
  return value
}

/** Strict UTF-8: no replacement characters, no byte order mark swallowed. */
export function decodeUtf8(bytes: Uint8Array): string {
  if (bytes.length > MAX_BYTES) throw new CertificateError('too-large', `larger than ${MAX_BYTES} bytes`)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new CertificateError('not-utf8', 'not UTF-8', { cause })
  }
}

function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new CertificateError('not-canonical', 'JSON has no such number')
  return JSON.stringify(value)
}

function canonicalString(value: string): string {
  if (/\p{Surrogate}/u.test(value)) throw new CertificateError('not-canonical', 'lone surrogate in a string')
  return JSON.stringify(value)
}
