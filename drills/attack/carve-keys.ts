import { shardContext } from '../../postgres/key-shard.ts'
import { unseal } from '../../postgres/seal.ts'

/** Sealed bytes of a 32-byte key: nonce, ciphertext, tag. */
const SEALED_BYTES = 60
/** A short varlena header of Postgres for that many bytes: length with itself, times two, plus one. */
const HEADER = ((SEALED_BYTES + 1) << 1) | 1
const MAX_SHARD = 1_024
const MAX_VERSION = 1_000_000

/** A row of `key_shards` or `subject_secrets` that somebody carved out of bytes: both end alike. */
interface Candidate {
  shard: number
  sealed: Buffer
  keyVersion: number
  /** The 16 bytes before: a subject's id, where it is a secret. */
  id: Buffer
}

/** What an attacker gathers from every byte of every disk. */
export interface Carver {
  /** To be shown all bytes: heap pages, write-ahead log, backups, key files, whatever they are packed in. */
  look(data: Buffer): void
  /** @returns every secret that opens, by subject id in hex */
  unwrap(): Map<string, Buffer>
  /** Wrapping keys found, candidates for rows. */
  found(): { wrappingKeys: number; rows: number }
}

/**
 * Carves wrapped keys: no table, index or transaction state is asked, so rows that were deleted, rewritten or only logged
 * count as much as live ones. @param extraKeys wrapping keys by name that the attacker has from elsewhere
 */
export function createCarver(extraKeys: ReadonlyMap<string, Buffer> = new Map()): Carver {
  const candidates = new Map<string, Candidate>()
  const wrappingKeys = new Map<string, { name: string; key: Buffer }>()
  const noteKey = (name: string, key: Buffer) =>
    wrappingKeys.set(`${name} ${key.toString('hex')}`, { name, key })
  for (const [name, key] of extraKeys) noteKey(name, key)

  const noteRow = (data: Buffer, at: number) => {
    if (at < 24 || at + 1 + SEALED_BYTES > data.length) return
    const keyVersion = data.readInt32LE(at - 4)
    const shard = data.readInt16LE(at - 8)
    if (keyVersion < 1 || keyVersion > MAX_VERSION || shard < 0 || shard > MAX_SHARD) return
    const sealed = Buffer.from(data.subarray(at + 1, at + 1 + SEALED_BYTES))
    const id = Buffer.from(data.subarray(at - 24, at - 8))
    candidates.set(`${sealed.toString('latin1')}${id.toString('latin1')}`, { shard, keyVersion, sealed, id })
  }
  return {
    look(data) {
      for (let at = data.indexOf(HEADER); at >= 0; at = data.indexOf(HEADER, at + 1)) noteRow(data, at)
      for (let at = data.indexOf('shard-'); at >= 0; at = data.indexOf('shard-', at + 1)) {
        const text = data.toString('latin1', at, at + 100)
        const match = /^(shard-\d+-v\d+)["\\: ]+([A-Za-z0-9+/]{43}=)/.exec(text)
        if (match) noteKey(match[1]!, Buffer.from(match[2]!, 'base64'))
      }
    },
    unwrap() {
      const shardKeys = new Map<number, Buffer[]>()
      for (const { name, key } of wrappingKeys.values()) {
        const [shard = 0, version = 0] = (/^shard-(\d+)-v(\d+)$/.exec(name) ?? []).slice(1).map(Number)
        for (const { sealed, ...row } of candidates.values()) {
          if (row.shard !== shard) continue
          const opened = tryUnseal(key, sealed, Buffer.from(shardContext(shard, version)))
          if (opened) shardKeys.set(shard, [...(shardKeys.get(shard) ?? []), opened])
        }
      }
      const secrets = new Map<string, Buffer>()
      for (const { shard, sealed, id } of candidates.values()) {
        for (const key of shardKeys.get(shard) ?? []) {
          const secret = tryUnseal(key, sealed, id)
          if (secret) secrets.set(id.toString('hex'), secret)
        }
      }
      return secrets
    },
    found: () => ({ wrappingKeys: wrappingKeys.size, rows: candidates.size }),
  }
}

function tryUnseal(key: Buffer, sealed: Buffer, context: Buffer): Buffer | undefined {
  try {
    return unseal(key, sealed, context)
  } catch {
    return undefined
  }
}
