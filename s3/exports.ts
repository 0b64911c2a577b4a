import { createHash } from 'node:crypto'

/**
 * Where the files lie that a person asked for: `person=<hash>/…`, the hash one of the token, so that a listing of the bucket
 * names nobody and an erasure finds a person's files without opening any.
 */
export function exportPrefix(token: Uint8Array): string {
  return `person=${createHash('sha256').update('ebb export').update(token).digest('hex')}/`
}

/** The person's part of a key, or undefined for a key that is not of this layout. */
export function exportPrefixOf(key: string): string | undefined {
  return /^person=[0-9a-f]{64}\//.exec(key)?.[0]
}
